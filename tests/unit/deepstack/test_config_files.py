"""Files of settings: nothing stands twice, no line is passed over."""

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
        ("DATABSE_URL=postgresql://host/name", "DATABSE_URL: .*DATABASE_URL"),
    ],
)
def test_no_line_of_a_file_of_variables_is_passed_over(
    here: type[Config], tmp_path: Path, line: str, said: str
) -> None:
    (tmp_path / ".env").write_text(f"# Limits\n\n{line}\n")
    with pytest.raises(ConfigError, match=said):
        here.from_env()


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
