"""A split in the history is no volatility, and no change of the volume."""

from datetime import date, timedelta

import pytest

from execution.domain.traded_sessions import TradedDay, adjusted, daily_volatility

RETURNS = (1.0, 1.01, 0.995, 1.009, 1.001, 0.991, 1.007)


def days(split: float = 1.0, before: int = 4) -> list[TradedDay]:
    """Seven days at about $100 with 1,000 shares a minute; the first ones before a split of
    `split` new shares for an old one."""
    made, price = [], 100.0
    for index, step in enumerate(RETURNS):
        price *= step
        old = index < before
        shown, volume = (price * split, round(1_000 / split)) if old else (price, 1_000)
        day = date(2024, 6, 3) + timedelta(days=index)
        made.append(TradedDay(day, (volume,) * 3, (shown,) * 3, shown))
    return made


@pytest.mark.parametrize("split", [4, 2, 1.5, 0.1], ids=["4:1", "2:1", "3:2", "1:10"])
def test_days_before_a_split_are_told_in_the_shares_after_it(split: float) -> None:
    plain, seen = days(), adjusted(days(split))
    assert daily_volatility(seen) == pytest.approx(daily_volatility(plain), rel=0.5)
    assert all(day.volumes == pytest.approx((1_000,) * 3, rel=0.02) for day in seen)
    assert daily_volatility(days(split)) > 10 * daily_volatility(plain)  # type: ignore[operator]


def test_two_splits_add_up() -> None:
    twice = [
        TradedDay(day.day, day.volumes, tuple(2 * p for p in day.prices), 2 * day.close)
        if index < 2
        else day
        for index, day in enumerate(days(4))
    ]
    assert adjusted(twice)[0].close == pytest.approx(days()[0].close, rel=0.05)


def test_moves_that_trading_explains_are_kept() -> None:
    assert adjusted(days()) == days()
    fallen = days(1.3)
    assert adjusted(fallen) == fallen
    assert adjusted([]) == []
