"""Files of settings: nothing stands twice, no line is passed over."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from deepstack.config import ROOT, Config, ConfigError


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("executoin: {twap: {}}", "unknown key 'executoin'; allowed are"),
        ("execution: {twpa: {}}", "execution.twpa"),
        ("execution: {twap: {default_num_slices: -1}}", "greater than 0"),
        ("execution: [twap", "config/config.yaml cannot be read"),
        ("execution: {twap: {timing_randomization: .inf}}", "finite number"),
        ("execution: {twap: {default_num_slices: true}}", "which is a switch"),
        ("ibkr_port: true", "which is a switch"),
        ("live_broker: false", "which is a switch"),
        ("[limits]", "sections are allowed"),
        ("limits", "sections are allowed"),
        ("5", "sections are allowed"),
        ("1: {max_position: 5}", "the key 1 is no name"),
        ("limits: {max_position: 1:30}", "'1:30'"),
        ("limits: {max_position: 0x10}", "'0x10'"),
        ("limits: {max_position: 1_000}", "'1_000'"),
        (f"limits: {{max_position: {'9' * 5_000}}}", "limits.max_position"),
        ("limits: {max_position: on}", "limits.max_position = 'on'"),
        ("limits:", "limits = None: keys with their values are allowed"),
        ("execution: {twap: [10]}", "execution.twap = [10]: keys with their values are allowed"),
        ("account: 7", "a number that is a name stands in quotes"),
        ("alerts: {channels: {desk: {accounts: main}}}", "a list is allowed"),
    ],
)
def test_wrong_file_is_refused(here: type[Config], tmp_path: Path, text: str, named: str) -> None:
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(ConfigError) as refused:
        here.from_env()
    assert named in str(refused.value)


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        (
            "config.yaml",
            "limits: {max_position: 5}\nlimits: {max_slices: 9}\n",
            "limits stands twice",
        ),
        (
            "config.yaml",
            "limits: {max_position: 5}\nLIMITS: {max_slices: 9}\n",
            "limits stands twice",
        ),
        ("config.yaml", "limits:\n  max_position: 5\n  max_position: 50\n", "max_position stands"),
        (
            ".env",
            "LIMITS__MAX_POSITION=5\nLIMITS__MAX_POSITION=50\n",
            "LIMITS__MAX_POSITION: stands",
        ),
        (
            ".env",
            "LIMITS__MAX_POSITION=5\nlimits__max_position=50\n",
            "LIMITS__MAX_POSITION: stands",
        ),
    ],
)
def test_a_setting_that_stands_twice_is_refused(
    here: type[Config], tmp_path: Path, file: str, text: str, said: str
) -> None:
    (tmp_path / file).write_text(text)
    with pytest.raises(ConfigError, match=said):
        here.from_env()


@pytest.mark.parametrize("name", [".env", "config.yaml", "config.yml"])
@pytest.mark.parametrize(
    "make",
    [
        pytest.param(Path.mkdir, id="a folder, as containers make of a missing file"),
        pytest.param(lambda path: path.symlink_to("/nowhere"), id="a link to nothing"),
        pytest.param(lambda path: path.symlink_to("/proc/self/mem"), id="a file that fails"),
    ],
)
def test_a_file_that_would_be_passed_over_is_named(
    here: type[Config], tmp_path: Path, name: str, make: Callable[[Path], None]
) -> None:
    make(tmp_path / name)
    with pytest.raises(ConfigError, match=re.escape(str(tmp_path / name))):
        here.from_env()


def test_a_file_that_somebody_put_out_of_use_is_none(here: type[Config], tmp_path: Path) -> None:
    (tmp_path / ".env").symlink_to("/dev/null")
    assert here.from_env().limits.max_position is None


def test_every_fault_of_every_file_is_named_at_once(
    here: type[Config], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.yaml").write_text("first: 1\nsecond: 2\nlimits: {max_slices: 0}\n")
    (tmp_path / ".env").write_text("LIMITS__MAX_POSITION=-1\nACOUNT=desk\n")
    monkeypatch.setenv("LOG_LEVEL", "LOUD")
    with pytest.raises(ConfigError) as refused:
        here.from_env()
    faults = ("'first'", "'second'", "max_slices", "max_position", "ACOUNT", "log_level")
    assert [fault for fault in faults if fault not in str(refused.value)] == []


def test_a_symbol_or_an_account_may_read_like_a_switch_or_a_day(
    here: type[Config], tmp_path: Path
) -> None:
    (tmp_path / "config.yaml").write_text(
        "account: NO\nmarket: {simulated: {prices: {ON: 70, Y: 4}}}\n"
        "limits: {within_buying_power: on}\n"
        "alerts: {channels: {desk: {url: slack://a/b, accounts: [2026-11-02]}}}\n"
    )
    config = here.from_env()
    assert (config.account, config.limits.within_buying_power) == ("NO", True)
    assert config.market.simulated.prices == {"ON": 70, "Y": 4}
    assert config.alerts.channels["desk"].accounts == ("2026-11-02",)


def test_the_sign_for_the_home_folder_is_read_as_a_shell_does(
    here: type[Config], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/desk")
    (tmp_path / "config.yaml").write_text("log_file: ~/desk.log\narchive: {folder: ~/old}\n")
    config = here.from_env()
    assert (config.log_file, config.archive.folder) == (
        Path("/home/desk/desk.log"),
        Path("/home/desk/old"),
    )


def test_a_halt_finds_the_database_that_a_wrong_file_names(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "config.yaml").write_text(
        "database_url: postgresql://desk@127.0.0.1:1/desk\nlimits: {max_position: -1}\n"
    )
    own = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    run = subprocess.run(
        [sys.executable, "manage.py", "halt", "--reason", "typing error"],
        env=own | {"DEEPSTACK_HOME": str(tmp_path)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "limits.max_position = -1" in run.stderr
    assert 'server at "127.0.0.1", port 1 failed' in run.stderr


@pytest.mark.parametrize(
    ("home", "said"),
    [
        ("/nowhere/at/all", "DEEPSTACK_HOME = '/nowhere/at/all': there is no such folder"),
        ("~/desk", "limits.max_position = -1"),
    ],
)
def test_a_home_folder_is_one_that_is_there(tmp_path: Path, home: str, said: str) -> None:
    (tmp_path / "desk" / "config").mkdir(parents=True)
    (tmp_path / "desk" / "config" / "config.yaml").write_text("limits: {max_position: -1}")
    run = subprocess.run(
        [sys.executable, "manage.py", "check"],
        env=os.environ | {"DEEPSTACK_HOME": home, "HOME": str(tmp_path)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, said in run.stderr) == (1, True)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            "LIMITS__MAX_POSITION: 5",
            "line 3: KEY=value is allowed, not what begins with LIMITS",
        ),
        (
            "LIMITS__MAX_POSITION='5",
            "line 3: KEY=value is allowed, not what begins with LIMITS",
        ),
        ("LIMITS__MAX_POSITION", "line 3: KEY=value is allowed, not what begins with LIMITS"),
        ("=5", "line 3: KEY=value is allowed"),
        ("LIMITS.MAX_POSITION=5", "LIMITS.MAX_POSITION: .*LIMITS__KEY"),
        ("ACOUNT=desk", "ACOUNT: .*ACCOUNT"),
        ("BACKUP_KEY=ab${c}d", r"line 3: BACKUP_KEY takes in a variable by \$\{...\} that is not"),
        ("DATABSE_URL=postgresql://host/name", "DATABSE_URL: .*DATABASE_URL"),
    ],
)
def test_no_line_of_a_file_of_variables_is_passed_over(
    here: type[Config], tmp_path: Path, line: str, said: str
) -> None:
    (tmp_path / ".env").write_text(f"# Limits\n\n{line}\n")
    with pytest.raises(ConfigError, match=said):
        here.from_env()


def test_a_variable_of_the_file_may_take_in_another(here: type[Config], tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("DESK=rates\nACCOUNT=${DESK}.${NUMBER:-1}\nBACKUP_KEY=a$b\n")
    config = here.from_env()
    assert (config.account, config.backup_key.get_secret_value()) == ("rates.1", "a$b")


def test_a_line_that_cannot_be_read_is_not_shown(here: type[Config], tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("ALPACA_SECRET_KEY: hunter2\n")
    with pytest.raises(ConfigError) as refused:
        here.from_env()
    assert "hunter2" not in str(refused.value)


def test_the_names_of_the_containers_may_stand_beside_ours(
    here: type[Config], tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text(
        "POSTGRES_PASSWORD=p\nREDIS_PASSWORD=r\nMETRICS_TOKEN_FILE=t\nGRAFANA_PASSWORD_FILE=g\n"
        "WEB_PORT=8000\nSTREAM_PORT=8100\nFLOWER_PORT=5555\nGRAFANA_PORT=3000\n"
    )
    assert here.from_env().account == "default"


def test_a_number_of_the_file_is_read_as_people_read_it(here: type[Config], tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("limits: {max_position: 010, max_daily_loss: 1000.50}")
    limits = here.from_env().limits
    assert (limits.max_position, limits.max_daily_loss) == (10, Decimal("1000.50"))


@pytest.mark.parametrize("name", [".env", "config.yaml"])
def test_a_file_of_another_encoding_is_named(here: type[Config], tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes("ACCOUNT=caf\u00e9".encode("latin-1"))
    with pytest.raises(ConfigError, match="UTF-8"):
        here.from_env()


def test_shipped_file_says_the_defaults(here: type[Config], tmp_path: Path) -> None:
    defaults = here.from_env()
    shipped = (ROOT / "config" / "config.yaml").read_text()
    (tmp_path / "config.yaml").write_text(shipped)
    assert here.from_env() == defaults
    assert yaml.safe_load(shipped)["execution"]["twap"]["default_num_slices"] == 10


def test_example_environment_is_accepted(here: type[Config], tmp_path: Path) -> None:
    (tmp_path / ".env").write_text((ROOT / ".env.example").read_text())
    assert here.from_env().trading_mode == "paper"
