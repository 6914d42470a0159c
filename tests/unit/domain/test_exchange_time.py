"""What a person reads is exchange time, also on the days on which the clocks change."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from execution.domain.exchange_time import exchange_time, of_either_hour, readable


@pytest.mark.parametrize(
    ("at", "said"),
    [
        ("2026-11-27T15:00:00+00:00", "2026-11-27 10:00:00 ET"),
        ("2026-07-01T14:00:00+00:00", "2026-07-01 10:00:00 ET"),
        ("2026-11-28T00:00:00+09:00", "2026-11-27 10:00:00 ET"),
        ("2027-03-14T06:59:59+00:00", "2027-03-14 01:59:59 ET"),
        ("2027-03-14T07:00:00+00:00", "2027-03-14 03:00:00 ET"),
        ("2027-11-07T05:30:00+00:00", "2027-11-07 01:30:00 ET (EDT)"),
        ("2027-11-07T06:30:00+00:00", "2027-11-07 01:30:00 ET (EST)"),
        ("2027-11-07T07:00:00+00:00", "2027-11-07 02:00:00 ET"),
        ("0001-01-01T00:00:00+00:00", "0001-01-01T00:00:00+00:00"),
    ],
)
def test_moments_are_said_in_exchange_time(at: str, said: str) -> None:
    moment = datetime.fromisoformat(at)
    assert exchange_time(moment) == said
    assert exchange_time(moment.astimezone(timezone(timedelta(hours=0)))) == said
    assert readable(at) == said


def test_milliseconds_where_they_matter() -> None:
    moment = datetime(2026, 11, 27, 15, 0, 0, 42_000, tzinfo=UTC)
    assert exchange_time(moment, millis=True) == "2026-11-27 10:00:00.042 ET"


@pytest.mark.parametrize("value", ["AAPL", "2026-11-27", 7, None, ["2026-11-27T15:00:00+00:00"]])
def test_what_is_no_moment_stays_as_it_is(value: object) -> None:
    assert readable(value) == value


@pytest.mark.parametrize(
    ("at", "now", "meant"),
    [
        ("2027-11-07T05:03", "2027-11-07T06:04", "2027-11-07T06:03"),  # the second 01:03 is past
        ("2027-11-07T05:03", "2027-11-07T05:04", "2027-11-07T05:03"),  # and here lies ahead
        ("2027-11-07T06:03", "2027-11-07T06:04", "2027-11-07T06:03"),
        ("2027-11-07T07:03", "2027-11-07T07:04", "2027-11-07T07:03"),  # 02:03 comes once
        ("2027-07-07T14:03", "2027-07-07T15:04", "2027-07-07T14:03"),
    ],
)
def test_of_two_hours_that_are_called_alike_the_later_is_meant(
    at: str, now: str, meant: str
) -> None:
    told, seen = (datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (at, now))
    assert of_either_hour(told, now=seen) == datetime.fromisoformat(meant).replace(tzinfo=UTC)
