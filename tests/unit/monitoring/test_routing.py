"""Which alert takes which channel and when, and what a wrong channel's settings are told."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from deepstack.config import Config
from deepstack.config_alerts import Alerts
from monitoring.channels import apprise_url, routing
from monitoring.channels.base import ChannelRefused
from monitoring.checks import channel_problems
from monitoring.models import Alert

URL = "json://localhost/secret"


def config(**rule: Any) -> Config:
    channels = {"channels": {"desk": {"url": URL, **rule}}}
    return Config().model_copy(update={"alerts": Alerts.model_validate(channels)})


def alert(**changes: Any) -> Alert:
    return Alert(**{"kind": "SLIPPAGE", "severity": "WARNING", "account": "main", **changes})


@pytest.mark.parametrize(
    ("rule", "changes", "taken"),
    [
        ({}, {}, True),
        ({"min_severity": "WARNING"}, {}, True),
        ({"min_severity": "CRITICAL"}, {}, False),
        ({"accounts": ["main"]}, {}, True),
        ({"accounts": ["other"]}, {}, False),
        ({"accounts": ["other"]}, {"account": ""}, True),  # it concerns every account
        ({"kinds": ["SLIPPAGE"]}, {}, True),
        ({"kinds": ["BROKER_DOWN"]}, {}, False),
        ({}, {"data": {"channel": "desk"}}, False),  # of its own failure
    ],
)
def test_an_alert_takes_a_channel(
    rule: dict[str, Any], changes: dict[str, Any], taken: bool
) -> None:
    channels = routing.of(config(**rule), ["log", "desk"], alert(**changes))
    assert channels == ["log", "desk"] if taken else ["log"]


@pytest.mark.parametrize(
    ("quiet", "now", "leaves"),
    [
        ("20:00-07:00", "2026-03-03T00:59", "2026-03-03T00:59"),  # 19:59 ET
        ("20:00-07:00", "2026-03-03T01:00", "2026-03-03T12:00"),  # 20:00 ET until 07:00 ET
        ("20:00-07:00", "2026-03-03T11:59", "2026-03-03T12:00"),
        ("20:00-07:00", "2026-03-03T12:00", "2026-03-03T12:00"),
        ("20:00-07:00", "2026-03-08T02:00", "2026-03-08T11:00"),  # the clocks change that night
        ("12:00-13:00", "2026-03-03T17:30", "2026-03-03T18:00"),
        ("12:00-13:00", "2026-03-03T18:30", "2026-03-03T18:30"),
        ("", "2026-03-03T05:00", "2026-03-03T05:00"),
    ],
)
def test_quiet_hours_are_in_exchange_time(quiet: str, now: str, leaves: str) -> None:
    settings, real_now = config(quiet_hours=quiet), datetime.fromisoformat(now).replace(tzinfo=UTC)
    found = routing.leaves_at(settings, "desk", alert(), real_now)
    assert found == datetime.fromisoformat(leaves).replace(tzinfo=UTC)
    critical = alert(severity="CRITICAL")
    assert routing.leaves_at(settings, "desk", critical, real_now) == real_now


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("log", {}),
        ("Desk", {}),
        ("desk", {"url": "no address"}),
        ("desk", {"quiet_hours": "8pm-7am"}),
        ("desk", {"quiet_hours": "08:00-08:00"}),
        ("desk", {"min_severity": "LOUD"}),
        ("desk", {"colour": "red"}),
    ],
)
def test_wrong_settings_are_refused(name: str, rule: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Alerts.model_validate({"channels": {name: {"url": URL, **rule}}})


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"kinds": ["SLIPAGE"]}, "no alert of kind SLIPAGE"),
        ({"url": "nonsense://x"}, "Apprise does not know"),
    ],
)
def test_a_channel_that_cannot_work_stops_the_start(rule: dict[str, Any], words: str) -> None:
    (problem,) = channel_problems(config(**rule))
    assert words in problem.msg
    assert "nonsense" not in f"{problem.msg}{problem.hint}"
    assert channel_problems(config()) == []


@pytest.mark.parametrize(
    ("log", "refused"),
    [
        ("Failed to send Slack notification: Unauthorized, error=403.", True),
        ("Failed to send X notification: , error=429.", False),
        ("Failed to send X notification: , error=500.", False),
        ("A Connection error occurred", False),
    ],
)
def test_what_apprise_logs_is_read(log: str, refused: bool) -> None:
    assert isinstance(apprise_url.failure("X", log), ChannelRefused) == refused
