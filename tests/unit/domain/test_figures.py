"""A figure beside a bound never reads as if it were the bound, or on its other side."""

from decimal import Decimal as D

import pytest

from execution.domain.figures import beside, counted, signed
from execution.domain.routing import Thresholds, choose


@pytest.mark.parametrize(
    ("value", "bounds", "places", "shown"),
    [
        ("8000", ["10000"], 0, "8000"),
        ("8000.4", ["10000"], 0, "8000"),
        ("9999.99", ["10000"], 0, "9999.99"),
        ("9999.4", ["10000"], 0, "9999"),
        ("9999.996", ["10000"], 2, "9999.996"),
        ("10000", ["10000"], 0, "10000"),
        ("100000.000001", ["10000", "100000"], 0, "100000.000001"),
        ("50000.004", ["50000"], 2, "50000.004"),
        ("0.250004", ["0.25"], 4, "0.250004"),
        ("0.31", ["0.25"], 4, "0.3100"),
        ("-100.004", ["-100"], 2, "-100.004"),
        ("10004.99", ["10005.50"], 2, "10004.99"),
    ],
)
def test_it_is_shown_so_that_the_sentence_is_true(
    value: str, bounds: list[str], places: int, shown: str
) -> None:
    assert f"{beside(D(value), *map(D, bounds), places=places):f}" == shown


@pytest.mark.parametrize(
    ("notional", "reason"),
    [
        ("9999.99", "$9,999.99 is below $10,000"),
        ("9999.94", "$9,999.94 is below $10,000"),
        ("9999.9", "$9,999.90 is below $10,000"),
        ("9999.9999", "$9,999.9999 is below $10,000"),
        ("9000.49", "$9,000 is below $10,000"),
        ("10000", "$10,000 is within $10,000-$100,000"),
        ("10000.004", "$10,000.004 is within $10,000-$100,000"),
        ("100000", "$100,000 is within $10,000-$100,000"),
        ("100000.01", "$100,000.01 is above $100,000"),
        (None, "its value is not known yet"),
    ],
)
def test_the_reason_of_a_route_is_true(notional: str | None, reason: str) -> None:
    route = choose(
        asked=None,
        urgency="NORMAL",
        notional=None if notional is None else D(notional),
        regular_hours=True,
        thresholds=Thresholds(D(10_000), D(100_000)),
    )
    assert route.reason == reason


def test_a_threshold_is_shown_as_it_is() -> None:
    route = choose(
        asked=None,
        urgency="NORMAL",
        notional=D("9999.75"),
        regular_hours=True,
        thresholds=Thresholds(D("9999.80"), D(100_000)),
    )
    assert route.reason == "$9,999.75 is below $9,999.80"


@pytest.mark.parametrize(
    ("value", "places", "shown"),
    [
        (D("-0.04"), 1, "0.0"),
        (0.0, 1, "0.0"),
        (-0.004, 2, "0.00"),
        (-0.06, 1, "-0.1"),
        (D("0.05"), 2, "+0.05"),
        (-12.34, 1, "-12.3"),
    ],
)
def test_what_is_rounded_to_zero_has_no_sign(value: D | float, places: int, shown: str) -> None:
    assert signed(value, places) == shown


@pytest.mark.parametrize(
    ("count", "said"), [(0, "0 orders"), (1, "1 order"), (2_000, "2,000 orders")]
)
def test_one_is_no_plural(count: int, said: str) -> None:
    assert counted(count, "order") == said
