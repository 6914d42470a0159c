"""The comparison of following the day with the learned profile: its arithmetic."""

from datetime import date, timedelta
from random import Random

import pytest

from benchmarks.bars import REGULAR_MINUTES, Day
from benchmarks.basket import SHARES, basket
from benchmarks.fill_models import deviation_bps
from benchmarks.following import compared, either_way, moves
from benchmarks.schedules import EVEN
from benchmarks.stock_days import Case
from execution.domain.volume_profile import Profile
from tests.unit.domain.days import FULL_DAY, OPEN

WINDOWS = {"full day": (0, 390), "14:00-16:00": (270, 390)}
RISING = tuple(100 + minute / 100 for minute in range(REGULAR_MINUTES))


def day(volumes: list[int], prices: tuple[float, ...] = RISING, number: int = 0) -> Day:
    notionals = [volume * price for volume, price in zip(volumes, prices, strict=True)]
    return Day(OPEN + timedelta(days=number), volumes, notionals)


def case(traded: Day, *, expected: float = 39_000) -> Case:
    flat = Profile.even([1.0])
    return Case(traded, FULL_DAY, flat, flat, expected, expected)


def noise(seed: int) -> Day:
    chance, price, prices = Random(seed), 100.0, []
    for _ in range(REGULAR_MINUTES):
        price *= 1 + chance.gauss(0, 0.0005)
        prices.append(price)
    return day([chance.randint(1, 300) for _ in range(REGULAR_MINUTES)], tuple(prices))


@pytest.mark.parametrize("schedule", ["learned", "dynamic", "equal slices (TWAP)"])
@pytest.mark.parametrize("window", WINDOWS.values())
def test_the_moves_of_an_order_add_up_to_its_deviation(
    schedule: str, window: tuple[int, int]
) -> None:
    worked = case(noise(7))
    start, end = (OPEN + timedelta(minutes=minute) for minute in window)
    plan = EVEN[schedule](worked, start, end)
    away = deviation_bps(worked, start, end, plan)
    assert sum(moves(worked, start, end, plan)) == pytest.approx(away, abs=1e-6)


def test_either_way_is_the_mean_over_coins() -> None:
    """Of many equal moves the sum is normal, and its mean absolute value sigma * sqrt(2 / pi)."""
    chance, flips = Random(3), 4_000
    drawn = [abs(sum(chance.choice((-1, 1)) for _ in range(100))) for _ in range(flips)]
    assert either_way([1.0] * 100) == pytest.approx(sum(drawn) / flips, rel=0.05)


def test_following_is_closer_where_a_day_goes_on_as_it_began() -> None:
    """Twice the volume before noon, and prices that rise: the learned profile is behind."""
    busy = day([200] * 195 + [100] * 195)
    found = compared([case(busy, expected=45_000)] * 2, WINDOWS)
    for measure in ("as it was", "moves either way"):
        assert found[measure]["full day"]["difference"] < 0


def test_a_basket_counts_every_stock_alike() -> None:
    """One trades a thousand times the shares of the other, at a price of its own."""
    many = {date(2024, 3, 1): day([1_000] * 390), date(2024, 3, 2): day([2_000] * 390)}
    few = {
        date(2024, 3, 1): day([1] * 390, (5.0,) * 390),
        date(2024, 3, 2): day([1] * 389 + [0], (5.0,) * 390),
    }
    gone = {date(2024, 3, 1): day([10] * 390)}
    made = basket({"MANY": many, "FEW": few, "GONE": gone})
    first, second = made.values()
    assert sum(first.volumes) == pytest.approx(SHARES * (1_000 / 1_500 + 1), rel=1e-3)
    assert second.volumes[0] == pytest.approx(SHARES / 390 * (2_000 / 1_500 + 1), rel=1e-3)
    assert first.notionals[0] / first.volumes[0] == pytest.approx(1)
    assert second.notionals[-1] / second.volumes[-1] == pytest.approx((RISING[-1] / 100 + 1) / 2)
