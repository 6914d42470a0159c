"""How often the paper broker misbehaves, and how slow it is, by its profile and its seed."""

from collections.abc import Callable
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from math import nan
from statistics import median

import pytest

from deepstack.config import ROOT
from deepstack.config_paper import PaperFaults
from execution.broker.paper.venue_faults import (
    LONGEST_ANSWER,
    PROFILES,
    FaultProfile,
    fault_profile,
)

pytestmark = pytest.mark.any_date

NOW = datetime(2026, 11, 20, 15, tzinfo=UTC)

SECOND = timedelta(seconds=1)

IDS = [f"c{n}" for n in range(2000)]


def share(decide: Callable[[str], object]) -> float:
    return sum(bool(decide(name)) for name in IDS) / len(IDS)


HALF = FaultProfile(
    transient_rejects=0.5,
    lost_requests=0.5,
    lost_answers=0.5,
    late_executions=0.5,
    late_seconds=4,
    repeated_executions=0.5,
    partial_fills=0.5,
    cancel_seconds=4,
    queue=0.5,
)


@pytest.mark.parametrize(
    ("what", "decide", "expected"),
    [
        ("refused for now", lambda name: HALF.refusal(name, NOW), 0.5),
        ("request lost", lambda name: HALF.loses_request(name, NOW), 0.5),
        ("answer lost", HALF.loses_answer, 0.5),
        ("told late", lambda name: HALF.reported_at(name, 0, NOW), 0.5),
        ("told twice", lambda name: HALF.reported_twice(name, 0), 0.5),
        ("partly filled", lambda name: HALF.at_arrival(name) < 1, 0.5),
        (
            "cancelled within half the time",
            lambda n: HALF.cancelled_at(n, NOW) < NOW + 2 * SECOND,
            0.5,
        ),
        ("behind less than a quarter", lambda name: HALF.ahead(name, 1000) < 250, 0.5),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_chance_follows_the_share(
    what: str, decide: Callable[[str], object], expected: float
) -> None:
    assert share(decide) == pytest.approx(expected, abs=0.05)
    assert [str(decide(name)) for name in IDS[:50]] == [str(decide(name)) for name in IDS[:50]]


@pytest.mark.parametrize("decide", [
    lambda faults, name: faults.loses_answer(name),
    lambda faults, name: faults.refusal(name, NOW) is not None,
])  # fmt: skip
def test_another_seed_is_another_fate(decide: Callable[[FaultProfile, str], bool]) -> None:
    differs = share(lambda name: decide(HALF, name) != decide(replace(HALF, seed=8), name))
    assert differs == pytest.approx(0.5, abs=0.05)


def test_one_misbehaviour_says_nothing_of_another() -> None:
    both = share(lambda name: HALF.loses_answer(name) and HALF.reported_at(name, 0, NOW))
    assert both == pytest.approx(0.25, abs=0.04)


@pytest.mark.parametrize("profile", ["live", "harsh"])
def test_latency_is_lognormal_about_its_median(profile: str) -> None:
    faults = PROFILES[profile]
    seconds = sorted(faults.latency(name, "place") for name in IDS)
    assert median(seconds) == pytest.approx(faults.latency_ms / 1000, rel=0.08)
    one_deviation = seconds[int(0.841 * len(seconds))] / median(seconds)
    assert one_deviation == pytest.approx(2.718281828**faults.latency_spread, rel=0.15)
    slowest = replace(faults, latency_ms=5000, latency_spread=3)
    assert max(slowest.latency(name, "place") for name in IDS) == LONGEST_ANSWER


def test_a_setting_stands_in_for_one_number_of_the_profile() -> None:
    assert fault_profile(PaperFaults()) == PROFILES["calm"] == FaultProfile()
    harsh = fault_profile(PaperFaults(profile="harsh", lost_answers=0, seed=3))
    assert harsh == replace(PROFILES["harsh"], lost_answers=0, seed=3)


def test_each_profile_is_harder_than_the_one_before() -> None:
    names = [field.name for field in fields(FaultProfile) if field.name != "seed"]
    for name in names:
        calm, live, harsh = (getattr(PROFILES[profile], name) for profile in PROFILES)
        assert calm < live < harsh, name


def test_the_documented_numbers_are_those_in_force() -> None:
    lines = (ROOT / "docs" / "brokers.md").read_text().splitlines()
    cells = [[cell.strip(" `") for cell in line.split("|")[1:-1]] for line in lines]
    told = {row[0]: [number(cell) for cell in row[2:]] for row in cells if len(row) == 5}
    for name in (field.name for field in fields(FaultProfile) if field.name != "seed"):
        assert told[name] == [getattr(PROFILES[profile], name) for profile in PROFILES], name


def number(cell: str) -> float:
    try:
        return float(Decimal(cell.removesuffix(" %")) / (100 if "%" in cell else 1))
    except InvalidOperation:
        return nan  # the table's head
