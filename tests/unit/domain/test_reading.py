"""A value means one thing, however it is written, or is refused."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

import numpy
import pytest

from execution.domain import reading
from execution.domain.reading import Reader

WHOLE = reading.whole(1_000)


class Side(StrEnum):
    BUY = "BUY"


@pytest.mark.parametrize(
    ("read", "value", "expected"),
    [
        (WHOLE, 10, 10),
        (WHOLE, "10", 10),
        (WHOLE, numpy.int64(10), 10),
        (reading.price, 150, Decimal(150)),
        (reading.price, "150.25", Decimal("150.25")),
        (reading.price, 150.25, Decimal("150.25")),
        (reading.price, 1e-5, Decimal("0.00001")),
        (reading.price, numpy.float64(150.1), Decimal("150.1")),
        (reading.price, numpy.float32(150.1), Decimal("150.1")),
        (reading.price, Decimal("150.25"), Decimal("150.25")),
        (reading.minutes, "1.5", timedelta(seconds=90)),
        (reading.minutes, Decimal("0.5"), timedelta(seconds=30)),
        (reading.share, ".5", 0.5),
        (reading.share, 1, 1.0),
        (reading.switch, "false", False),
        (reading.moment, "2026-11-23 10:00-0500", datetime(2026, 11, 23, 15, tzinfo=UTC)),
        (reading.moment, "2026-11-23T15:00:00Z", datetime(2026, 11, 23, 15, tzinfo=UTC)),
        (reading.one_of(("BUY", "SELL")), Side.BUY, "BUY"),
    ],
)
def test_a_value_is_read_as_it_is_written(read: Reader, value: object, expected: object) -> None:
    assert read(value) == expected


# Python reads each of them as a number.
ODD_NUMBERS = [
    "1_0",
    "\u0661\u0660",
    "\uff11\uff10",
    " 10 ",
    "10\n",
    "10\0",
    "+10",
    "1e1",
    "0x0a",
    "",
    " ",
    "\u00b2",
]


@pytest.mark.parametrize("read", [WHOLE, reading.price, reading.minutes, reading.share])
@pytest.mark.parametrize(
    "value",
    [
        *ODD_NUMBERS,
        "-1",
        "nan",
        "Infinity",
        "1" * 400,
        10**400,
        pytest.param(10**5_000, id="more digits than Python writes"),
        float("nan"),
        float("inf"),
        Decimal("NaN"),
        Decimal("sNaN"),
        0,
        0.0,
        "0",
        -1,
        1e-300,
        True,
        numpy.bool_(True),
        Fraction(1, 3),
        b"10",
        [10],
        {"value": 10},
        None,
    ],
)
def test_what_is_not_plainly_a_number_is_refused(read: Reader, value: object) -> None:
    with pytest.raises(ValueError, match="must be a"):
        read(value)


@pytest.mark.parametrize("value", [10.0, 10.5, Decimal(10), "10.0", "10.5", numpy.float64(10)])
def test_a_whole_number_is_written_without_a_fraction(value: object) -> None:
    with pytest.raises(ValueError, match="whole number"):
        WHOLE(value)


@pytest.mark.parametrize(
    "value", ["1e2", "1_0.5", "\u0661.\u0665", " 150 ", "150.", "1,000", "$150", "1/3"]
)
def test_a_price_is_written_in_plain_digits(value: str) -> None:
    with pytest.raises(ValueError, match="price above 0"):
        reading.price(value)


@pytest.mark.parametrize(
    "value",
    [
        "2026-11-23T10:00:00",
        "2026-11-23",
        "20261123T100000Z",
        "2026-W48-1T10:00:00Z",
        " 2026-11-23T10:00:00Z",
        "2026-11-23T10:00:00Z\0",
        "\u0662\u0660\u0662\u0666-11-23T10:00:00Z",
        "2026-02-30T10:00:00Z",
        "2026-11-23T25:00:00Z",
        "2026-11-23T10:00:00-05:75",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        datetime(2026, 11, 23, 10),  # noqa: DTZ001
        datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14))),
        1_795_426_800,
        True,
    ],
)
def test_a_time_says_its_day_hour_and_zone(value: object) -> None:
    with pytest.raises(ValueError, match="must be a time with its zone"):
        reading.moment(value)


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (reading.one_of(("BUY", "SELL")), "buy"),
        (reading.one_of(("BUY", "SELL")), " BUY"),
        (reading.one_of(("BUY", "SELL")), "BUY\0"),
        (reading.one_of(("BUY", "SELL")), numpy.array(["BUY"])),
        (reading.switch, 1),
        (reading.switch, "True"),
        (reading.switch, "yes"),
        (reading.switch, numpy.array([True])),
    ],
)
def test_a_word_is_written_as_it_is_listed(read: Reader, value: object) -> None:
    with pytest.raises(ValueError, match="must be"):
        read(value)


@pytest.mark.parametrize(
    "value",
    ["x" * 10_000, pytest.param(10**5_000, id="digits"), ["x" * 10_000], {"x" * 500: 1}],
)
def test_a_refused_value_is_shown_in_short(value: object) -> None:
    with pytest.raises(ValueError, match="must be a price") as refused:
        reading.price(value)
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize("value", [-3.3e307, "-1", -1, 0, 1e308, 10**400, -(10**400), float("nan")])
def test_minutes_beyond_a_clock_are_refused(value: object) -> None:
    with pytest.raises(ValueError, match="must be a number of minutes"):
        reading.minutes(value)
