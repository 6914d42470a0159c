"""Where a setting comes from, and what is said about a wrong one."""

import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
import yaml
from pydantic_settings import SettingsConfigDict

from deepstack.config import ROOT, Config, ConfigError

SLICES = "EXECUTION__TWAP__DEFAULT_NUM_SLICES"


@pytest.fixture
def here(tmp_path: Path) -> type[Config]:
    """A configuration that reads `.env` and `config.yaml` of an empty folder."""

    class Here(Config):
        model_config = SettingsConfigDict(
            env_file=tmp_path / ".env", yaml_file=tmp_path / "config.yaml"
        )

    return Here


def test_environment_over_dotenv_over_file_over_default(
    here: type[Config], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slices() -> int:
        return here.from_env().execution.twap.default_num_slices

    assert slices() == 10
    (tmp_path / "config.yaml").write_text("execution: {twap: {default_num_slices: 11}}")
    assert slices() == 11
    (tmp_path / ".env").write_text(f"{SLICES}=12")
    assert slices() == 12
    monkeypatch.setenv(SLICES, "13")
    assert slices() == 13
    assert here.from_env().execution.twap.default_time_window == 60


@pytest.mark.parametrize(
    ("variable", "value", "named"),
    [
        (SLICES, "0", ["execution.twap.default_num_slices", "'0'", "greater than 0"]),
        (SLICES, "ten", ["execution.twap.default_num_slices", "'ten'", "integer"]),
        ("EXECUTION__TWAP__SLICES", "3", ["execution.twap.slices", "not permitted"]),
        ("EXECUTION__TWAP", "often", ["execution", "SECTION__KEY"]),
        ("TRADING_MODE", "yolo", ["trading_mode", "'yolo'", "'paper' or 'live'"]),
        ("LIMITS__MAX_ORDER_NOTIONAL", "nan", ["limits.max_order_notional", "finite"]),
        ("LIMITS__PRICE_COLLAR", "1.5", ["limits.price_collar", "'1.5'", "less than or equal"]),
        ("PAPER__PARTICIPATION", "0", ["paper.participation", "'0'", "greater than 0"]),
        ("IBKR_PORT", "99999", ["ibkr_port", "'99999'", "65535"]),
        ("ACCOUNT", "my account", ["account", "'my account'", "pattern"]),
        ("LOG_LEVEL", "LOUD", ["log_level", "'LOUD'", "'WARNING'"]),
    ],
)
def test_wrong_value_names_key_value_and_what_is_allowed(
    here: type[Config],
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    value: str,
    named: list[str],
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigError) as refused:
        here.from_env()
    assert [word for word in named if word not in str(refused.value)] == []


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("executoin: {twap: {}}", "unknown key 'executoin'; allowed are"),
        ("execution: {twpa: {}}", "execution.twpa"),
        ("execution: {twap: {default_num_slices: -1}}", "greater than 0"),
        ("execution: [twap", "config/config.yaml is not YAML"),
    ],
)
def test_wrong_file_is_refused(here: type[Config], tmp_path: Path, text: str, named: str) -> None:
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(ConfigError) as refused:
        here.from_env()
    assert named in str(refused.value)


def test_shipped_file_says_the_defaults(here: type[Config], tmp_path: Path) -> None:
    defaults = here.from_env()
    shipped = (ROOT / "config" / "config.yaml").read_text()
    (tmp_path / "config.yaml").write_text(shipped)
    assert here.from_env() == defaults
    assert yaml.safe_load(shipped)["execution"]["twap"]["default_num_slices"] == 10


def test_example_environment_is_accepted(here: type[Config], tmp_path: Path) -> None:
    (tmp_path / ".env").write_text((ROOT / ".env.example").read_text())
    assert here.from_env().trading_mode == "paper"


def test_values_are_typed_and_frozen(here: type[Config], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALLOWED_HOSTS", "desk.example, 10.0.0.7")
    monkeypatch.setenv("EXECUTION__ROUTING__SMALL_ORDER_THRESHOLD", "12500.50")
    config = here.from_env()
    assert config.allowed_hosts == ["desk.example", "10.0.0.7"]
    assert config.execution.routing.small_order_threshold == Decimal("12500.50")
    with pytest.raises(ValueError, match="frozen"):
        config.trading_mode = "live"


def test_secrets_do_not_show(here: type[Config], monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("SECRET_KEY", "ALPACA_SECRET_KEY", "FLOWER_BASIC_AUTH"):
        monkeypatch.setenv(variable, "hunter2")
    assert "hunter2" not in repr(here.from_env())


def test_a_command_says_what_is_wrong_and_shows_no_traceback() -> None:
    run = subprocess.run(
        [sys.executable, "manage.py", "check"],
        env={**os.environ, "TRADING_MODE": "practice"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1
    assert "trading_mode = 'practice'" in run.stderr
    assert "Traceback" not in run.stderr
