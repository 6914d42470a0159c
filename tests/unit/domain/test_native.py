"""What the broker's own algorithms are told, letter by letter."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from execution.domain.algorithms.broker_native import Native, instructions, keeps, pairs, read

START = datetime(2024, 11, 22, 15, 30, tzinfo=UTC)
END = datetime(2024, 11, 22, 21, 0, tzinfo=UTC)
WINDOW = {"startTime": "20241122-15:30:00", "endTime": "20241122-21:00:00"}
LASTING = {**WINDOW, "allowPastEndTime": "0"}
NEW_YORK = timezone(timedelta(hours=-5))


@pytest.mark.parametrize(
    ("name", "asked", "cap", "told"),
    [
        ("Adaptive", {}, None, {"adaptivePriority": "Normal"}),
        ("Adaptive", {"adaptivePriority": "Patient"}, None, {"adaptivePriority": "Patient"}),
        ("Twap", {}, None, {"strategyType": "Marketable", **LASTING}),
        (
            "Twap",
            {"strategyType": "Matching Same Side"},
            None,
            {"strategyType": "Matching Same Side", **LASTING},
        ),
        (
            "Vwap",
            {"maxPctVol": 0.25, "noTakeLiq": True},
            None,
            {"maxPctVol": "0.25", "noTakeLiq": "1", **LASTING},
        ),
        (
            "ArrivalPx",
            {"maxPctVol": "0.10", "riskAversion": "Get Done", "forceCompletion": "1"},
            None,
            {"maxPctVol": "0.1", "riskAversion": "Get Done", "forceCompletion": "1", **LASTING},
        ),
        ("PctVol", {"pctVol": Decimal("0.5")}, None, {"pctVol": "0.5", "noTakeLiq": "0", **WINDOW}),
        # A participation cap becomes the algorithm's share; the smaller of both holds.
        ("PctVol", {}, "0.15", {"pctVol": "0.15", "noTakeLiq": "0", **WINDOW}),
        ("PctVol", {"pctVol": 0.4}, "0.15", {"pctVol": "0.15", "noTakeLiq": "0", **WINDOW}),
        ("PctVol", {"pctVol": 0.1}, "0.15", {"pctVol": "0.1", "noTakeLiq": "0", **WINDOW}),
        ("PctVol", {}, "0.9", {"pctVol": "0.5", "noTakeLiq": "0", **WINDOW}),
    ],
)
def test_what_is_told(
    name: str, asked: dict[str, Any], cap: str | None, told: dict[str, str]
) -> None:
    limit = None if cap is None else Decimal(cap)
    found = instructions(name, read(name, asked), start=START, end=END, cap=limit)
    assert found.as_json() == {"name": name, "parameters": told}
    assert Native.from_json(found.as_json()) == found


def test_times_are_whole_seconds_of_utc_and_the_end_is_not_before_the_orders() -> None:
    start = datetime(2024, 11, 22, 10, 30, 0, 700_000, tzinfo=NEW_YORK)
    told = dict(instructions("Twap", {}, start=start, end=start + timedelta(hours=1)).parameters)
    assert (told["startTime"], told["endTime"]) == ("20241122-15:30:00", "20241122-16:30:01")


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("Adaptive", {"adaptivePriority": "Hurried"}, "adaptivePriority must be one of Urgent"),
        ("Adaptive", {"maxPctVol": 0.2}, "maxPctVol is unknown to Adaptive"),
        ("Vwap", {"maxPctVol": 0.09}, "maxPctVol must be a share from 0.1 to 0.5, got 0.09"),
        ("Vwap", {"maxPctVol": 0.51}, "maxPctVol must be a share"),
        ("Vwap", {"maxPctVol": "NaN"}, "maxPctVol must be a share"),
        ("Vwap", {"maxPctVol": "much"}, "maxPctVol must be a share"),
        ("Vwap", {"maxPctVol": None}, "maxPctVol must be a share"),
        ("Vwap", {"maxPctVol": True}, "maxPctVol must be a share"),
        ("Vwap", {"noTakeLiq": "yes"}, "noTakeLiq must be 1 or 0"),
        ("Vwap", {"speedUp": 1}, "speedUp is unknown to Vwap, which knows maxPctVol, noTakeLiq"),
        ("PctVol", {"pctVol": 0}, "pctVol must be a share"),
        ("ArrivalPx", {"riskAversion": ["Neutral"]}, "riskAversion must be one of"),
        ("Twap", {"strategyType": "matching last"}, "strategyType must be one of"),
        ("Twap", {"endTime": "16:00:00"}, "endTime is the order's end_at"),
        ("Twap", {"allowPastEndTime": 1}, "allowPastEndTime is always 0"),
        ("Vwap", {"maxPctVol": 2, "noTakeLiq": 2}, "maxPctVol must .*; noTakeLiq must"),
    ],
)
def test_a_wrong_parameter_is_named(name: str, given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read(name, given)


@pytest.mark.parametrize("name", ["Vwap", "ArrivalPx", "PctVol"])
def test_a_share_is_needed_where_no_cap_says_one(name: str) -> None:
    with pytest.raises(ValueError, match="is needed where no participation cap holds"):
        instructions(name, {}, start=START, end=END)


@pytest.mark.parametrize(
    ("name", "cap", "kept"),
    [
        ("Vwap", "0.1", True),
        ("Vwap", "0.0999", False),
        ("PctVol", "1", True),
        ("Twap", "0.3", False),
        ("Adaptive", "0.3", False),
    ],
)
def test_which_caps_an_algorithm_keeps(name: str, cap: str, kept: bool) -> None:
    assert keeps(name, Decimal(cap)) is kept


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"maxPctVol": 0.2}, {"maxPctVol": 0.2}),
        ("maxPctVol=0.2, noTakeLiq=1", {"maxPctVol": "0.2", "noTakeLiq": "1"}),
        ("strategyType=Matching Last", {"strategyType": "Matching Last"}),
    ],
)
def test_parameters_are_an_object_or_text(given: object, found: dict[str, object]) -> None:
    assert pairs(given) == found


@pytest.mark.parametrize("given", ["maxPctVol", "a=1,a=2", ["maxPctVol"], {1: 2}, 0.2])
def test_parameters_that_are_neither(given: object) -> None:
    with pytest.raises(ValueError, match="must be an object, or text"):
        pairs(given)


def test_shares_that_came_back_start_when_they_leave() -> None:
    later = datetime(2024, 11, 22, 16, tzinfo=UTC)
    again = instructions("Twap", {}, start=START, end=END).starting(later)
    told = dict(again.parameters)
    assert (told["startTime"], told["endTime"]) == ("20241122-16:00:00", WINDOW["endTime"])
    assert "startTime" not in dict(instructions("Adaptive", {}, start=START, end=END).parameters)
