"""Days that trade unlike others: which they are, and what is made of earlier ones."""

from datetime import date, timedelta

import pytest

from execution.domain.special_days import (
    DayKind,
    Effect,
    Seen,
    effect,
    kinds_of,
    reshaped,
)
from execution.domain.traded_sessions import TradedDay
from execution.domain.volume_profile import Profile
from execution.market.calendar import ExchangeCalendar
from execution.planning.special_days import PUBLISHED

EVEN = Profile.even([1] * 39)  # ten minutes each
MONTH_END, EXPIRY = DayKind.MONTH_END, DayKind.EXPIRY
CALENDAR = ExchangeCalendar(dict)


@pytest.mark.parametrize(
    ("day", "kinds"),
    [
        ("2024-06-12", []),
        ("2024-01-31", ["MONTH_END"]),
        ("2024-08-30", ["MONTH_END"]),  # Friday, and the 31st is a Saturday
        ("2024-03-28", ["MONTH_END"]),  # Good Friday follows
        ("2024-05-17", ["EXPIRY"]),
        ("2024-06-21", ["QUARTERLY_EXPIRY"]),
        ("2024-06-28", ["RECONSTITUTION", "MONTH_END"]),
        ("2023-06-23", ["RECONSTITUTION"]),
        ("2024-02-20", ["AFTER_HOLIDAY"]),
        ("2024-01-02", ["AFTER_HOLIDAY"]),
        ("2024-07-03", ["HALF_DAY"]),
        ("2024-07-05", ["AFTER_HOLIDAY"]),
        ("2024-11-29", ["MONTH_END", "HALF_DAY", "AFTER_HOLIDAY"]),
        ("2019-04-18", ["EXPIRY"]),  # the third Friday is Good Friday
        ("2026-06-18", ["QUARTERLY_EXPIRY"]),  # the third Friday is Juneteenth
    ],
)
def test_the_calendar_names_special_days(day: str, kinds: list[str]) -> None:
    session = CALENDAR.session_on(date.fromisoformat(day))
    assert session is not None
    assert [str(kind) for kind in PUBLISHED.kinds(session)] == kinds


def test_a_month_without_a_session_on_any_friday_ends() -> None:
    assert kinds_of(date(2024, 5, 1), lambda day: day.weekday() == 2, half_day=False) == (
        DayKind.AFTER_HOLIDAY,
    )


def test_a_day_is_compared_with_what_was_known_of_it() -> None:
    found = Seen.of([100] * 380 + [200] * 10, EVEN, expected=20_000.0)
    assert found == Seen(2.0, pytest.approx(2_000 / 40_000 * 39))
    assert Seen.of([100] * 380 + [0] * 10, EVEN, expected=20_000.0) is None


def days(*closings: float, kind: DayKind = MONTH_END) -> list[tuple[DayKind, Seen]]:
    return [(kind, Seen(1.0, closing)) for closing in closings]


@pytest.mark.parametrize(
    ("kinds", "earlier", "expected"),
    [
        pytest.param([], days(1.4, 1.41), None, id="a day like any other"),
        pytest.param([MONTH_END], [], None, id="the first of its kind"),
        pytest.param([MONTH_END], days(1.4), None, id="one day shows nothing"),
        pytest.param([MONTH_END], days(1.4, 1.4), (MONTH_END, 1.4**0.5, 2), id="two show half"),
        pytest.param([MONTH_END], days(*[1.4] * 8), (MONTH_END, 1.4**0.8, 8), id="eight most"),
        pytest.param([MONTH_END], days(1.4, 0.8, 1.1), None, id="within its error"),
        pytest.param([EXPIRY], days(1.4, 1.4), None, id="of another kind"),
        pytest.param(
            [DayKind.RECONSTITUTION, MONTH_END],
            [*days(1.9, kind=DayKind.RECONSTITUTION), *days(1.4, 1.4)],
            (MONTH_END, 1.4**0.5, 2),
            id="what is not known of one kind is known of another",
        ),
    ],
)
def test_earlier_days_teach_as_far_as_there_are_enough(kinds, earlier, expected) -> None:
    found = effect(kinds, earlier)
    assert found == (expected and Effect(expected[0], 1.0, pytest.approx(expected[1]), expected[2]))
    assert found is None or Effect.from_json(found.as_json()) == found


def test_the_closing_minutes_grow_and_the_rest_keeps_its_shape() -> None:
    rising = Profile.even(range(1, 40))
    found = reshaped(rising, 1.5, 390)
    assert found.shares[-1] == pytest.approx(1.5 * rising.shares[-1])
    assert found.shares[10] / found.shares[20] == pytest.approx(11 / 21)
    assert sum(found.shares) == pytest.approx(1)
    assert reshaped(rising, 1.0, 390) is rising


def test_the_closing_minutes_never_hold_more_than_half() -> None:
    assert reshaped(EVEN, 1_000.0, 390).shares[-1] == pytest.approx(0.5)


def test_a_profile_is_cut_where_the_closing_minutes_begin() -> None:
    found = reshaped(Profile.even([1]), 2.0, 200)  # of a half-day: ten of two hundred minutes
    assert found.edges == (0.0, 0.95, 1.0)
    assert found.shares == pytest.approx((0.9, 0.1))


def tape(last: date, volumes: tuple[int, ...], *, before: int = 6) -> list[TradedDay]:
    """A day, and usual ones before it."""
    prices = (10.0,) * len(volumes)
    usual = [last - timedelta(days=7 * back) for back in range(before, 0, -1)]
    made = [TradedDay(day, (100,) * 390, (10.0,) * 390, 10.0) for day in usual]
    return [*made, TradedDay(last, volumes, prices, 10.0)]


def test_days_are_recorded_once_and_judged_by_the_days_before_them() -> None:
    last = date(2024, 5, 31)
    both = {
        "GWW": tape(last, (100,) * 380 + (400,) * 10),
        "FDS": tape(last, (100,) * 380 + (100,) * 10),
    }
    record = PUBLISHED.recorded(both, {}, count=20)
    assert list(record) == [last.isoformat()]
    row = record[last.isoformat()]
    assert (row["kind"], row["symbols"]) == ("MONTH_END", 2)
    assert row["closing"] == pytest.approx((4 * 390 / 420) ** 0.5, abs=1e-3)
    assert row["volume"] == pytest.approx((420 / 390) ** 0.5, abs=1e-3)
    fewer = PUBLISHED.recorded({"GWW": both["GWW"]}, record, count=20)
    assert fewer == record  # a day is not forgotten for fewer symbols


def test_a_day_without_enough_days_before_it_teaches_nothing() -> None:
    assert (
        PUBLISHED.recorded({"GWW": tape(date(2024, 5, 31), (1,) * 390, before=4)}, {}, count=20)
        == {}
    )


def test_only_days_before_the_session_count() -> None:
    row = {"kind": "MONTH_END", "volume": 1.0, "closing": 1.5, "symbols": 8}
    record = {"2024-01-31": row, "2024-02-29": row, "2024-03-28": row}
    session = CALENDAR.session_on(date(2024, 3, 28))
    later = CALENDAR.session_on(date(2024, 4, 30))
    assert session is not None
    assert later is not None
    found = PUBLISHED.effect_on(session, record)
    assert found is not None
    assert found.days == 2
    assert PUBLISHED.effect_on(later, record).days == 3  # type: ignore[union-attr]
    usual = CALENDAR.session_on(date(2024, 6, 12))
    assert usual is not None
    assert PUBLISHED.effect_on(usual, record) is None
