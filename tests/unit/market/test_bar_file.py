import gzip
import io
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from execution.market.bar_files import BarFileError, BarRow, as_text, read_bars

HEADER = "symbol,timestamp,open,high,low,close,volume,vwap"
GOOD = "GWW,2024-06-12T09:30:00-04:00,912.48,914.47,908.335,912.03,3357,912.5991"


NEW_YORK = ZoneInfo("America/New_York")


def read(text: str | bytes, **chosen: Any) -> list[BarRow]:
    raw = text if isinstance(text, bytes) else text.encode()
    with as_text(io.BytesIO(raw)) as opened:
        return list(read_bars(opened, **chosen))


def test_a_bar() -> None:
    assert read(f"{HEADER}\n{GOOD}\n\n") == [
        BarRow(
            line=2,
            symbol="GWW",
            start=datetime(2024, 6, 12, 13, 30, tzinfo=UTC),
            open=Decimal("912.48"),
            high=Decimal("914.47"),
            low=Decimal("908.335"),
            close=Decimal("912.03"),
            volume=3357,
            vwap=Decimal("912.5991"),
        )
    ]


@pytest.mark.parametrize("asked", [(), ("BRK.B",), ("BRK-B",)])
def test_a_share_class_is_stored_as_orders_name_it(asked: tuple[str, ...]) -> None:
    yahoo, ours = GOOD.replace("GWW", "BRK-B"), GOOD.replace("GWW", "BRK.B")

    for line in (yahoo, ours):
        assert [bar.symbol for bar in read(f"{HEADER}\n{line}\n", symbols=asked)] == ["BRK.B"]


@pytest.mark.parametrize(
    ("timestamp", "zone", "start"),
    [
        ("2024-06-12T09:30:00-04:00", None, "2024-06-12 13:30"),
        ("2024-06-12T13:30:00Z", None, "2024-06-12 13:30"),
        ("2024-06-12 13:30:00+00:00", "America/New_York", "2024-06-12 13:30"),
        ("2024-06-12 09:30:00", "America/New_York", "2024-06-12 13:30"),  # in summer
        ("2024-01-10 09:30", "America/New_York", "2024-01-10 14:30"),  # and in winter
        ("2024-06-12 13:30", "UTC", "2024-06-12 13:30"),
    ],
)
def test_the_zone_of_a_timestamp(timestamp: str, zone: str | None, start: str) -> None:
    [bar] = read(f"{HEADER}\nGWW,{timestamp},1,1,1,1,5,\n", zone=ZoneInfo(zone) if zone else None)

    assert bar.start.strftime("%Y-%m-%d %H:%M") == start
    assert bar.vwap is None


@pytest.mark.parametrize("pack", [bytes, gzip.compress, lambda raw: b"\xef\xbb\xbf" + raw])
def test_plain_packed_and_with_a_byte_order_mark(pack: type[bytes]) -> None:
    assert len(read(pack(f"{HEADER}\r\n{GOOD}\r\n".encode()))) == 1


def test_columns_in_another_order_and_without_vwap() -> None:
    text = "timestamp,volume,symbol,low,open,close,high\n2024-06-12T09:30Z,7,T,1,2,3,4\n"
    [bar] = read(text)

    assert (bar.symbol, bar.volume, bar.vwap) == ("T", 7, None)
    assert (bar.low, bar.open, bar.close, bar.high) == tuple(map(Decimal, range(1, 5)))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(
            "symbol,timestamp,open,high,low,close,volume,trade_count,vwap\n"
            "GWW,2024-06-12 13:30:00+00:00,2.0,4.0,1.0,3.0,7.0,3.0,2.5\n",
            id="as alpaca-py writes a bar set",
        ),
        pytest.param(
            "Datetime,Open,High,Low,Close,Adj Close,Volume\n"
            "2024-06-12 09:30:00-04:00,2,4,1,3,3,7\n",
            id="as Yahoo names the columns",
        ),
        pytest.param(
            "Ticker, Time ,Open,High,Low,Close,Volume\nGWW,2024-06-12T13:30Z,2,4,1,3,7\n",
            id="in capitals",
        ),
    ],
)
def test_known_forms_of_files(text: str) -> None:
    [bar] = read(text, symbols={"GWW"})
    assert (bar.symbol, bar.start) == ("GWW", datetime(2024, 6, 12, 13, 30, tzinfo=UTC))
    assert (bar.open, bar.high, bar.low, bar.close, bar.volume) == (2, 4, 1, 3, 7)


@pytest.mark.parametrize(("written", "price"), [("1.2e1", "12"), (" 12.0 ", "12"), ("+12.", "12")])
def test_a_number_as_programs_write_it(written: str, price: str) -> None:
    [bar] = read(f"{HEADER}\nGWW,2024-06-12T09:30Z,{written},12,12,12,1.2e1,\n")
    assert (bar.open, bar.volume) == (Decimal(price), 12)


def test_only_the_chosen() -> None:
    text = f"{HEADER}\n" + "".join(
        f"{symbol},{day}T19:30-04:00,1,1,1,1,5,1\n"  # 23:30 in UTC
        for symbol in ("GWW", "TYL")
        for day in ("2024-06-11", "2024-06-12")
    )

    assert len(read(text)) == 4
    assert [bar.symbol for bar in read(text, symbols={"TYL"})] == ["TYL", "TYL"]
    [bar] = read(text, symbols={"GWW"}, days={date(2024, 6, 12)})
    assert bar.start == datetime(2024, 6, 12, 23, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("GWW,2024-06-12T09:30,1,1,1", "line 3: 5 fields instead of 8"),
        (GOOD.replace("GWW", "gww"), "line 3: symbol = 'gww'"),
        (GOOD.replace("GWW", ""), "line 3: symbol = ''"),
        (GOOD.replace("2024-06-12T", "12/06/2024 "), "line 3: timestamp = '12/06/2024 09:30"),
        (GOOD.replace("09:30:00", "09:30:12"), "line 3: timestamp = '2024-06-12T09:30:12"),
        (GOOD.replace("912.48", "NaN"), "line 3: open = 'NaN'"),
        (GOOD.replace("912.48", "inf"), "line 3: open = 'inf'"),
        (GOOD.replace("908.335", "-1"), "line 3: low = '-1'"),
        (GOOD.replace("908.335", "0"), "line 3: low = '0'"),
        (GOOD.replace("908.335", ""), "line 3: low = ''"),
        (GOOD.replace("912.03", "915"), "line 3: open 912.48 and close 915 must lie between"),
        (GOOD.replace("908.335", "920"), "line 3: open 912.48 and close 912.03 must lie between"),
        (GOOD.replace("3357", "-1"), "line 3: volume = '-1'"),
        (GOOD.replace("3357", "1.5"), "line 3: volume = '1.5'"),
        (GOOD.replace("3357", "1e400"), "line 3: volume = '1e400'"),
        (GOOD.replace("3357", "3_357"), "line 3: volume = '3_357'"),
        (GOOD.replace("3357", "\u0663"), "line 3: volume = '\u0663'"),
        (GOOD.replace("3357", "9000000000000000000"), "line 3: volume = '9000"),
        (GOOD.replace("3357", '"3,357"'), "line 3: volume = '3,357'"),
        (GOOD.replace("912.48", "91_2.48"), "line 3: open = '91_2.48'"),
        (GOOD.replace("912.48", "\u0669"), "line 3: open = '\u0669'"),
        (GOOD.replace("912.48", '"1,912.48"'), "line 3: open = '1,912.48'"),
        (GOOD.replace("914.47", "99999999999"), "line 3: high = '99999999999'"),
        (GOOD.replace("912.5991", "x"), "line 3: vwap = 'x'"),
        (GOOD.replace("912.5991", "9125.991"), "line 3: vwap 9125.991 is far outside low"),
        (GOOD.replace("912.5991", "9.125991"), "line 3: vwap 9.125991 is far outside low"),
        (
            GOOD.replace("-04:00", "-03:75"),
            "line 3: timestamp = '2024-06-12T09:30:00-03:75': an offset",
        ),
        (GOOD.replace("-04:00", ""), "line 3: timestamp = '2024-06-12T09:30:00' has no offset"),
        (GOOD.replace("T09:30:00-04:00", ""), "line 3: timestamp = '2024-06-12' is a day without"),
        (
            GOOD.replace("2024-06-12T09:30:00-04:00", "0001-01-01T09:30+14:00"),
            "line 3: timestamp = '0001-01-01T09:30",
        ),
        (GOOD.replace("2024", "9998"), "line 3: timestamp = '9998"),
        (GOOD.replace("2024", "1900"), "line 3: timestamp = '1900"),
        ('"GWW', "line 3: not CSV text"),
    ],
)
def test_a_bad_line_is_named(line: str, message: str) -> None:
    with pytest.raises(BarFileError) as raised:
        read(f"{HEADER}\n{GOOD}\n{line}\n")

    assert str(raised.value).startswith(message)


@pytest.mark.parametrize("local", ["2024-11-03T01:30", "2024-03-10T02:30"])
def test_a_time_that_comes_twice_or_never_is_refused(local: str) -> None:
    with pytest.raises(BarFileError, match="comes twice or never in America/New_York"):
        read(f"{HEADER}\nGWW,{local},1,1,1,1,5,\n", zone=NEW_YORK)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (f"{HEADER},mood", "column 'mood' is not known"),
        (HEADER.replace(",low", ""), "column 'low' is missing"),
        (HEADER.replace("open", "high"), "column 'high' stands twice"),
        (HEADER.replace("symbol,", ""), "name it with --symbol"),
    ],
)
def test_the_column_that_is_wrong_is_named(header: str, message: str) -> None:
    with pytest.raises(BarFileError, match=message):
        read(f"{header}\n")


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "the file is empty"),
        (b"a,b\n", "line 1: the header is a,b: column 'a' is not known"),
        (f"{HEADER},volume\n".encode(), "line 1: the header is"),
        (
            f"{HEADER}\n".encode() + b"\xff\xfe",
            "after line 0: the file must be text in UTF-8, which a byte 0xff is not",
        ),
        (f"{HEADER}\n".encode("utf-16"), "after line 0: the file must be text in UTF-8"),
        (gzip.compress(f"{HEADER}\n{GOOD}\n".encode())[:-12], "after line"),
        (b"\x1f\x8bnonsense", "after line 0: the gzip is broken"),
    ],
)
def test_a_bad_file_is_named(raw: bytes, message: str) -> None:
    with pytest.raises(BarFileError) as raised:
        read(raw)

    assert str(raised.value).startswith(message)
