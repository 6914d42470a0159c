from datetime import UTC, date, datetime, time, timedelta

import pytest

from execution.market.calendar import (
    NEW_YORK,
    ExchangeCalendar,
    Hours,
    Overrides,
    always_open,
    wrong_hours,
)


def calendar(**overrides: Hours) -> ExchangeCalendar:
    rows: Overrides = {
        date.fromisoformat(day[1:].replace("_", "-")): hours for day, hours in overrides.items()
    }
    return ExchangeCalendar(lambda: rows)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def new_york(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=NEW_YORK)


@pytest.mark.parametrize(
    ("day", "opens", "closes", "extended"),
    [
        # day, regular open and close, extended hours; all UTC
        ("2024-06-12", "13:30", "20:00", ("08:00", "00:00")),  # summer time
        ("2024-01-10", "14:30", "21:00", ("09:00", "01:00")),  # winter time
        ("2024-03-08", "14:30", "21:00", ("09:00", "01:00")),  # the Friday before the change
        ("2024-03-11", "13:30", "20:00", ("08:00", "00:00")),  # the Monday after it
        ("2026-10-30", "13:30", "20:00", ("08:00", "00:00")),
        ("2026-11-02", "14:30", "21:00", ("09:00", "01:00")),
        ("2024-07-03", "13:30", "17:00", ("08:00", "21:00")),  # half-days close at 13:00
        ("2026-11-27", "14:30", "18:00", ("09:00", "22:00")),
        ("2026-12-24", "14:30", "18:00", ("09:00", "22:00")),
        ("2011-01-03", "14:30", "21:00", ("09:00", "01:00")),  # of the oldest data
        ("2029-06-12", "13:30", "20:00", ("08:00", "00:00")),  # years ahead
    ],
)
def test_hours_of_a_session(day: str, opens: str, closes: str, extended: tuple[str, str]) -> None:
    session = calendar().session_on(date.fromisoformat(day))

    assert session is not None
    assert session.day == date.fromisoformat(day)
    assert (session.open, session.close) == (utc(f"{day} {opens}"), utc(f"{day} {closes}"))
    assert session.extended_open == utc(f"{day} {extended[0]}")
    assert session.extended_close.strftime("%H:%M") == extended[1]
    assert not session.always


@pytest.mark.parametrize(
    "day",
    [
        "2024-06-15",  # a Saturday
        "2024-06-16",
        "2024-07-04",
        "2024-03-29",  # Good Friday
        "2025-01-09",  # a day of mourning
        "2026-11-26",  # Thanksgiving
        "2012-10-29",  # a storm
    ],
)
def test_closed(day: str) -> None:
    assert calendar().session_on(date.fromisoformat(day)) is None
    assert calendar().session(new_york(f"{day} 11:00")) is None


@pytest.mark.parametrize(
    ("at", "inside"),
    [
        ("2024-06-12 03:59:59", False),
        ("2024-06-12 04:00:00", True),
        ("2024-06-12 19:59:59", True),  # midnight is near in London
        ("2024-06-12 20:00:00", False),
        ("2024-01-10 19:30:00", True),  # the next day in UTC
        ("2024-07-03 16:59:59", True),
        ("2024-07-03 17:00:00", False),
    ],
)
def test_a_session_contains_its_extended_hours(at: str, inside: bool) -> None:
    session = calendar().session(new_york(at))

    assert (session is not None) == inside
    assert session is None or session.day == date.fromisoformat(at[:10])


@pytest.mark.parametrize(
    ("at", "day"),
    [
        ("2024-06-12 08:00", "2024-06-12"),  # before the open of the same day
        ("2024-06-12 09:30", "2024-06-13"),  # at the open it is the next
        ("2024-06-14 12:00", "2024-06-17"),  # a weekend
        ("2024-07-03 15:00", "2024-07-05"),  # a holiday
        ("2024-12-31 18:00", "2025-01-02"),  # the next year's calendar
    ],
)
def test_next_session(at: str, day: str) -> None:
    assert calendar().next_session(new_york(at)).day == date.fromisoformat(day)


@pytest.mark.parametrize(
    ("hours", "expected"),
    [
        (Hours(closed=True), None),
        (Hours(open=time(11)), ("11:00", "16:00", "20:00")),
        (Hours(close=time(14)), ("09:30", "14:00", "18:00")),
        (Hours(open=time(10), close=time(12)), ("10:00", "12:00", "16:00")),
    ],
)
def test_an_override_wins(hours: Hours, expected: tuple[str, str, str] | None) -> None:
    session = calendar(d2024_06_12=hours).session_on(date(2024, 6, 12))

    assert (
        session
        and tuple(
            at.astimezone(NEW_YORK).strftime("%H:%M")
            for at in (session.open, session.close, session.extended_close)
        )
    ) == expected


def test_an_override_can_open_a_closed_day_only_with_both_times() -> None:
    saturday = date(2024, 6, 15)
    full = calendar(d2024_06_15=Hours(open=time(10), close=time(12))).session_on(saturday)
    half = calendar(d2024_06_15=Hours(open=time(10))).session_on(saturday)

    assert full is not None
    assert full.length == timedelta(hours=2)
    assert half is None


def test_the_trial_session_never_closes() -> None:
    session = always_open(date(2026, 11, 22))

    assert session.always
    assert session.is_regular(utc("2026-11-22 00:00:00"))
    assert session.is_regular(utc("2026-11-22 23:59:59"))
    assert session.close == always_open(date(2026, 11, 23)).open


@pytest.mark.parametrize(
    ("day", "hours", "said"),
    [
        (date(2024, 6, 12), Hours(closed=True), ""),
        (date(2024, 6, 12), Hours(close=time(13)), ""),
        (date(2024, 6, 12), Hours(open=time(11)), ""),
        (date(2024, 6, 15), Hours(open=time(10), close=time(14)), ""),  # a Saturday
        (date(2024, 6, 12), Hours(close=time(1)), "from 09:30 to 01:00 ET cannot be"),
        (date(2024, 6, 12), Hours(close=time(9, 30)), "from 09:30 to 09:30 ET cannot be"),
        (date(2024, 6, 12), Hours(open=time(16)), "from 16:00 to 16:00 ET cannot be"),
        (date(2024, 7, 3), Hours(open=time(13, 30)), "from 13:30 to 13:00 ET cannot be"),
        (date(2024, 6, 12), Hours(open=time(3)), "between 04:00 and 20:00"),
        (date(2024, 6, 12), Hours(close=time(23)), "between 04:00 and 20:00"),
        (date(2024, 6, 12), Hours(closed=True, close=time(13)), "leave open and close empty"),
        (date(2024, 6, 15), Hours(open=time(10)), "no trading day by the calendar"),
        (date(2024, 6, 15), Hours(), "no trading day by the calendar"),
        (date(9999, 6, 15), Hours(close=time(13)), "a year between 1970 and 2199"),
    ],
)
def test_hours_that_no_day_can_have(day: date, hours: Hours, said: str) -> None:
    wrong = wrong_hours(day, hours)
    assert said in wrong
    assert bool(wrong) == bool(said)
