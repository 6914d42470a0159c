"""`deepstack tune-forecast`: what it reads, and that it proposes only what was shown."""

import json
from dataclasses import asdict
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from deepstack.config import current
from deepstack.config_forecast import Forecast
from execution.domain.volume_forecast import USUAL
from execution.planning.volume_profiles import forecast_constants
from tests.integration.planning.test_profiles import TODAY, bar_file, sessions_before

pytestmark = [pytest.mark.django_db, pytest.mark.any_date]


def tuned(*options: str) -> str:
    said = StringIO()
    call_command("tune_forecast", *options, stdout=said)
    return said.getvalue()


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty sessions of two symbols, all alike, at one price."""
    return bar_file(tmp_path_factory.mktemp("bars"), sessions_before(TODAY, 30))


def test_days_that_are_all_alike_change_nothing(month: Path) -> None:
    told = json.loads(tuned("--source", str(month), "--json"))
    assert told["better"] is False
    assert told["used"] == current().execution.vwap.forecast.model_dump()
    assert told["chosen_on"][1] < told["judged_on"][0]
    assert told["gain_bps"]["days"] == 10


def test_the_verdict_is_a_sentence(month: Path) -> None:
    said = tuned("--source", str(month), "--symbol", "GWW")
    assert "No gain beyond chance: keep the constants in use." in said
    assert "config.yaml" not in said


def test_too_few_stored_bars_say_what_is_needed() -> None:
    with pytest.raises(CommandError, match=r"0 sessions .* at least 20 are needed.*load-bars"):
        tuned()


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(CommandError, match=r"none\.csv: No such file"):
        tuned("--source", "none.csv")


def test_the_settings_default_to_the_constants_of_the_forecast() -> None:
    assert Forecast().model_dump() == asdict(USUAL)
    assert forecast_constants(current()) == USUAL
