"""Settings of single sign-on: a half or dangerous configuration is refused, in words."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from deepstack.config import ROOT, Config, ConfigError

pytestmark = pytest.mark.any_date

WHOLE = {
    "OIDC_ISSUER": "https://login.example/realms/desk",
    "OIDC_CLIENT_ID": "deepstack",
    "OIDC_CLIENT_SECRET": "hunter2-of-the-client",
}


@pytest.fixture
def set_up(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in WHOLE.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_it_is_off_by_default(here: type[Config]) -> None:
    config = here.from_env()
    assert (config.oidc_issuer, config.oidc_only, config.oidc_maps_roles) == ("", False, False)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"OIDC_CLIENT_SECRET": ""}, "OIDC_CLIENT_SECRET: missing, while OIDC_CLIENT_ID"),
        ({"OIDC_CLIENT_ID": ""}, "OIDC_CLIENT_ID: missing"),
        ({"OIDC_ISSUER": ""}, "OIDC_ISSUER: missing"),
        (dict.fromkeys(WHOLE, "") | {"OIDC_ONLY": "true"}, "while OIDC_ONLY is set"),
        ({"OIDC_ISSUER": "http://login.example"}, "http:// only on this machine"),
        ({"OIDC_ISSUER": "login.example"}, "an address such as"),
        ({"OIDC_ISSUER": "https://login.example/?tenant=1"}, "neither ? nor #"),
        ({"OIDC_SCOPES": "profile email"}, "openid must be one of the scopes"),
        ({"OIDC_USER_CLAIM": ""}, "oidc_user_claim = ''"),
        ({"OIDC_CREATE_USERS": "true"}, "OIDC_CREATE_USERS: needs OIDC_VIEWER_GROUPS"),
        ({"OIDC_ONLY": "maybe"}, "oidc_only = 'maybe'"),
    ],
)
def test_what_is_half_or_wrong_is_refused_by_name(
    here: type[Config], set_up: pytest.MonkeyPatch, changes: dict[str, str], said: str
) -> None:
    for name, value in changes.items():
        set_up.setenv(name, value)
    with pytest.raises(ConfigError) as refused:
        here.from_env()
    assert said in str(refused.value)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("issuer", ["http://localhost:8080", "http://127.0.0.1:8080/realms/desk"])
def test_a_provider_on_this_machine_needs_no_encryption(
    here: type[Config], set_up: pytest.MonkeyPatch, issuer: str
) -> None:
    set_up.setenv("OIDC_ISSUER", issuer)
    assert here.from_env().oidc_issuer == issuer


def test_groups_are_a_list_of_the_file_or_separated_by_commas(
    here: type[Config], set_up: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "config.yaml").write_text('oidc_risk_groups: ["cn=risk,ou=desk"]\n')
    set_up.setenv("OIDC_TRADER_GROUPS", "desk, nights ,")
    config = here.from_env()
    assert config.oidc_role_groups == {
        "Viewer": (),
        "Trader": ("desk", "nights"),
        "Risk": ("cn=risk,ou=desk",),
    }


def test_the_secret_shows_nowhere(here: type[Config], set_up: pytest.MonkeyPatch) -> None:
    config = here.from_env()
    assert "hunter2" not in f"{config!r} {config.model_dump_json()}"


def test_a_missing_package_is_named_and_stops_the_start() -> None:
    script = (
        "import sys\nsys.modules['authlib'] = None\n"
        "from deepstack.manage import main\nmain(['check', '--tag', 'configuration'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | WHOLE,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "(execution.E014) OIDC_ISSUER is set and the packages" in done.stderr
    assert "pip install authlib" in done.stderr


def test_nothing_is_imported_while_it_is_off() -> None:
    script = (
        "import sys, django\ndjango.setup()\nimport deepstack.urls\n"
        "print([name for name in sys.modules if name.startswith(('authlib', 'joserfc'))])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ
        | dict.fromkeys(WHOLE, "")
        | {"DJANGO_SETTINGS_MODULE": "deepstack.settings", "DATABASE_URL": "postgresql://u@h/d"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.strip() == "[]", done.stderr
