"""Limits of child orders: never beyond the parent's, never outside the collar, never rounded
towards paying more."""

from decimal import Decimal as D

import pytest

from execution.domain.limit_prices import (
    is_good,
    marketable_limit,
    protective_limit,
    round_away,
    stricter,
)


@pytest.mark.parametrize(
    ("side_sign", "far_touch", "tolerance_bps", "reference", "parent_limit", "expected"),
    [
        (1, "100.00", "10", "99.99", None, "100.10"),
        (-1, "100.00", "10", "100.01", None, "99.90"),
        (1, "100.00", "0", "99.99", None, "100.00"),
        (1, "100.00", "10", "99.99", "100.05", "100.05"),
        (-1, "100.00", "10", "100.01", "99.95", "99.95"),
        (1, "100.00", "10", "90.00", None, "94.50"),  # the collar of 5 % around the reference
        (-1, "100.00", "10", "110.00", None, "104.50"),
        (1, "33.33", "7", "33.32", None, "33.35"),  # 33.353331, rounded away from aggression
        (-1, "33.33", "7", "33.34", None, "33.31"),  # 33.306669
        (1, "0.5", "10", "0.5", None, "0.5005"),  # sub-dollar ticks
    ],
)
def test_a_marketable_limit_is_the_tightest_of_its_bounds(
    side_sign: int,
    far_touch: str,
    tolerance_bps: str,
    reference: str,
    parent_limit: str | None,
    expected: str,
) -> None:
    limit = marketable_limit(
        side_sign=side_sign,
        far_touch=D(far_touch),
        tolerance_bps=D(tolerance_bps),
        reference=D(reference),
        collar=D("0.05"),
        parent_limit=D(parent_limit) if parent_limit else None,
    )
    assert limit == D(expected)


@pytest.mark.parametrize(
    ("price", "buy", "sell"),
    [
        ("19.8055", "19.80", "19.81"),
        ("19.80", "19.80", "19.80"),  # on the grid nothing changes
        ("19.8", "19.80", "19.80"),
        ("19.8000000000001", "19.80", "19.81"),
        ("150", "150.00", "150.00"),
        ("1", "1.00", "1.00"),
        ("1.0001", "1.00", "1.01"),  # a dollar belongs to the cents
        ("1.00004", "1.00", "1.01"),
        ("1.01", "1.01", "1.01"),
        ("0.99995", "0.9999", "1.00"),  # upwards it crosses the dollar
        ("0.9999", "0.9999", "0.9999"),
        ("0.99991", "0.9999", "1.00"),
        ("0.4566", "0.4566", "0.4566"),
        ("0.45665", "0.4566", "0.4567"),
        ("0.0001", "0.0001", "0.0001"),
        ("0.00015", "0.0001", "0.0002"),
        ("0.00004", "0.0000", "0.0001"),  # a buy has no tick left
        ("123456.789012", "123456.78", "123456.79"),
    ],
)
def test_a_price_between_two_ticks_gives_way_to_the_passive_side(
    price: str, buy: str, sell: str
) -> None:
    assert [str(round_away(D(price), sign)) for sign in (1, -1)] == [buy, sell]


@pytest.mark.parametrize(
    ("price", "told", "buy", "sell"),
    [
        ("10.03", "0.05", "10.00", "10.05"),
        ("10.05", "0.05", "10.05", "10.05"),
        ("10.036", "0.01", "10.03", "10.04"),
        ("0.45665", "0.01", "0.4566", "0.4567"),  # told of stocks that trade in both steps
        ("10.036", "0.0001", "10.03", "10.04"),  # the exchange's rule is the coarser one
    ],
)
def test_a_contract_with_a_coarser_tick_of_its_own_is_held_to_it(
    price: str, told: str, buy: str, sell: str
) -> None:
    rounded = [round_away(D(price), sign, D(told)) for sign in (1, -1)]
    assert rounded == [D(buy), D(sell)]


@pytest.mark.parametrize(
    ("sign", "reference", "parent", "expected"),
    [
        (1, "20.003", "19.8055", "19.80"),
        (-1, "20.003", "20.1111", "20.12"),
        (-1, "0.95", "0.99995", "1.00"),
        (1, "100.01", None, "105.01"),  # the collar's edge, 105.0105
        (-1, "0.5001", None, "0.4751"),  # 0.475095
    ],
)
def test_a_protective_limit_is_on_the_grid(
    sign: int, reference: str, parent: str | None, expected: str
) -> None:
    limit = protective_limit(
        side_sign=sign,
        reference=D(reference),
        collar=D("0.05"),
        parent_limit=D(parent) if parent else None,
    )
    assert str(limit) == expected


@pytest.mark.parametrize("price", ["10.001", "10.009", "0.99999"])
def test_rounding_is_never_more_aggressive(price: str) -> None:
    assert round_away(D(price), 1) <= D(price) <= round_away(D(price), -1)


@pytest.mark.parametrize(
    ("sign", "far_touch", "good"),
    [
        (1, "99.99", True),
        (1, "100", True),
        (1, "100.01", False),
        (-1, "100.01", True),
        (-1, "100", True),
        (-1, "99.99", False),
    ],
)
def test_a_price_is_good_at_the_would_price_or_better(
    sign: int, far_touch: str, good: bool
) -> None:
    found = is_good(side_sign=sign, far_touch=D(far_touch), would_price=D(100))
    assert found is good


def test_the_stricter_limit_is_the_least_aggressive() -> None:
    low, high = D(99), D(101)
    assert (stricter(1, low, high, None), stricter(-1, low, high)) == (low, high)
    assert (stricter(1, None, high), stricter(-1, None)) == (high, None)
