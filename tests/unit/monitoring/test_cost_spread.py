"""How costs are spread over orders, and which days a report is about."""

from datetime import date

import pytest

from monitoring.cost_report import period, spread
from monitoring.cost_report.period import BadPeriod, Period

TUESDAY = date(2026, 3, 3)


@pytest.mark.parametrize(
    ("bps", "number"),
    [(0, 0), (0.49, 0), (0.5, 1), (-0.01, -1), (-0.5, -1), (1e9, 399), (-1e9, -400)],
)  # fmt: skip
def test_the_number_of_a_range(bps: float, number: int) -> None:
    assert spread.number_of(bps) == number


@pytest.mark.parametrize(
    ("costs", "median"),
    [([], None), ([3.1], 3.25), ([-7, 1, 40], 1.25), ([2.0, 2.1, 2.2, 2.3], 2.25), ([-9, 9], -8.5)],
)
def test_the_median_is_right_to_half_a_range(costs: list[float], median: float | None) -> None:
    counts = spread.added({spread.number_of(cost): 1} for cost in costs)
    assert spread.median(counts) == median


def test_every_order_is_in_one_bar() -> None:
    costs = (-250.0, -20.5, -20.0, -0.2, 0.0, 1.9, 2.0, 19.9, 20.0, 300.0)
    bars = spread.bars(spread.added({spread.number_of(cost): 1} for cost in costs))
    counted = {(bar.low, bar.high): bar.orders for bar in bars if bar.orders}
    assert counted == {
        (None, -20): 2, (-20, -18): 1, (-2, 0): 1, (0, 2): 2, (2, 4): 1, (18, 20): 1, (20, None): 2,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "days"),
    [
        ((None, None, None), (TUESDAY, TUESDAY)),
        ((None, None, "today"), (TUESDAY, TUESDAY)),
        ((None, None, "week"), (date(2026, 3, 2), TUESDAY)),
        ((None, None, "month"), (date(2026, 3, 1), TUESDAY)),
        (("2026-02-27", None, None), (date(2026, 2, 27), TUESDAY)),
        (("2026-03-09", None, None), (date(2026, 3, 9), date(2026, 3, 9))),
        ((None, "2026-02-27", "week"), (date(2026, 2, 27), date(2026, 2, 27))),
        (("2026-02-01", "2026-02-28", "today"), (date(2026, 2, 1), date(2026, 2, 28))),
        (("2025-03-04", "2026-03-04", None), (date(2025, 3, 4), date(2026, 3, 4))),
    ],
)
def test_a_period(asked: tuple[str | None, ...], days: tuple[date, date]) -> None:
    first, last, name = asked
    assert period.read(first, last, name, today=TUESDAY) == Period(*days)


@pytest.mark.parametrize(
    ("asked", "field", "said"),
    [
        (("2026-02-30", None, None), "from", "must be"),
        ((None, "yesterday", None), "to", "yesterday"),
        (("2026-03-03", "2026-03-02", None), "to", "must not be before 2026-03-03"),
        (("2025-03-03", "2026-03-04", None), "from", "at most 366 days"),
        ((None, None, "decade"), "period", "one of today, week, month"),
    ],
)
def test_a_period_that_is_none(asked: tuple[str | None, ...], field: str, said: str) -> None:
    first, last, name = asked
    with pytest.raises(BadPeriod, match=said) as refused:
        period.read(first, last, name, today=TUESDAY)
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("day", "week"), [(TUESDAY, "2026-W10"), (date(2027, 1, 1), "2026-W53")]
)  # fmt: skip
def test_the_week_of_a_day(day: date, week: str) -> None:
    assert period.week_of(day) == week
