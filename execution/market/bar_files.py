"""Files of one-minute bars: CSV or gzip CSV, one bar a line.

The columns may be named as here, as alpaca-py writes them (with `trade_count`), or as Yahoo does
(`Datetime,Open,High,Low,Close,Adj Close,Volume`, without the symbol).
"""

import csv
import gzip
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from io import TextIOWrapper
from typing import BinaryIO, TextIO
from zlib import error as BrokenCompression  # noqa: N812
from zoneinfo import ZoneInfo

from execution.domain.reading import MAX_PRICE, PRICE_STEP
from execution.market.calendar import NEW_YORK, YEARS

COLUMNS = ("symbol", "timestamp", "open", "high", "low", "close", "volume")
OTHER_NAMES = {
    "datetime": "timestamp",
    "date": "timestamp",
    "time": "timestamp",
    "ticker": "symbol",
}
IGNORED = ("trade_count", "adj close")
SYMBOL = re.compile(r"[A-Z][A-Z0-9.-]{0,15}")
GZIP_MAGIC = b"\x1f\x8b"
# ASCII digits, as programs write numbers: Python itself reads 1_0 and Arabic digits, too.
NUMBER = re.compile(r" *[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})? *")
_ODD_OFFSET = re.compile(r"[+-][0-9]{2}:?[6-9][0-9]$")
LARGEST_VOLUME = 10**12
# The VWAP of a real bar may lie a little outside its range: prints that count for the volume do
# not all count for the high and the low. Up to 1 % was seen; a wrong unit is far more.
VWAP_TOLERANCE = Decimal("0.05")


class BarFileError(ValueError):
    """The file cannot be used; the text names the line, the field, the value and the rule."""


@dataclass(frozen=True, slots=True)
class BarRow:
    """One line of the file; `start` in UTC."""

    line: int
    symbol: str
    start: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: int
    vwap: Decimal | None


@contextmanager
def as_text(raw: BinaryIO) -> Iterator[TextIO]:
    """The file's text, unpacked if it is packed."""
    packed = raw.read(2) == GZIP_MAGIC
    raw.seek(0)
    plain = gzip.GzipFile(fileobj=raw) if packed else raw
    with TextIOWrapper(plain, encoding="utf-8-sig", newline="") as text:
        yield text


def read_bars(
    text: TextIO,
    *,
    symbols: Collection[str] = (),
    days: Collection[date] = (),
    zone: ZoneInfo | None = None,
) -> Iterator[BarRow]:
    """The bars of the named symbols and New York days (none named: all), in the file's order.

    A timestamp is the start of its minute, with its offset, or else in `zone`. A file without a
    column for the symbol is taken to hold the one that is named. Raises BarFileError.
    """
    symbols = {_as_orders_name_it(symbol) for symbol in symbols}
    reader = csv.reader(text, strict=True)
    try:
        form = _Form.of(next(reader, None), symbols, zone)
        for fields in filter(None, reader):  # blank lines say nothing
            try:
                bar = _bar(form, fields, symbols, days, reader.line_num)
            except BarFileError as error:
                raise BarFileError(f"line {reader.line_num}: {error}") from None
            if bar:
                yield bar
    except UnicodeDecodeError as error:
        raise BarFileError(
            f"after line {reader.line_num}: the file must be text in UTF-8, which a byte"
            f" 0x{error.object[error.start]:02x} is not"
        ) from None
    except csv.Error as error:
        raise BarFileError(f"line {reader.line_num}: not CSV text: {error}") from None
    except (EOFError, gzip.BadGzipFile, BrokenCompression) as error:
        raise BarFileError(f"after line {reader.line_num}: the gzip is broken: {error}") from None


@dataclass(frozen=True, slots=True)
class _Form:
    """How this file names things: the columns by our names ("" for one that is not used), the
    symbol of all its bars where no column has it, the zone of times without an offset."""

    columns: tuple[str, ...]
    symbol: str | None
    zone: ZoneInfo | None

    @classmethod
    def of(
        cls, fields: list[str] | None, symbols: Collection[str], zone: ZoneInfo | None
    ) -> "_Form":
        if fields is None:
            raise BarFileError("the file is empty")
        names = [OTHER_NAMES.get(name, name) for name in (f.strip().lower() for f in fields)]
        known = (*COLUMNS, "vwap")
        unknown = [f for f, name in zip(fields, names, strict=True) if name not in known + IGNORED]
        columns = tuple(name if name in known else "" for name in names)
        used = [name for name in columns if name]
        missing = [name for name in COLUMNS if name not in used]
        lonely = missing == ["symbol"] and not unknown
        if lonely and len(symbols) == 1:
            return cls(columns, next(iter(symbols)), zone)
        problems = [
            *(f"column {name!r} is not known" for name in unknown),
            *(f"column {name!r} is missing" for name in missing),
            *(f"column {name!r} stands twice" for name in known if used.count(name) > 1),
        ]
        if lonely:
            problems = ["there is no column for the symbol: name it with --symbol"]
        if problems:
            raise BarFileError(
                f"line 1: the header is {','.join(fields)[:200]}: {'; '.join(problems)[:300]}. "
                f"It must name {','.join(COLUMNS)} once each, in any order, and may name vwap"
            )
        return cls(columns, None, zone)


def _bar(
    form: _Form,
    fields: list[str],
    symbols: Collection[str],
    days: Collection[date],
    line: int,
) -> BarRow | None:
    if len(fields) != len(form.columns):
        raise BarFileError(f"{len(fields)} fields instead of {len(form.columns)}")
    row = dict(zip(form.columns, fields, strict=True))
    if form.symbol is not None:
        row["symbol"] = form.symbol
    row["symbol"] = _as_orders_name_it(row["symbol"])
    if symbols and row["symbol"] not in symbols:
        return None
    start = _minute(row["timestamp"], form.zone)
    if days and start.date() not in days:
        return None
    return _checked(row, start.astimezone(UTC), line)


def _as_orders_name_it(symbol: str) -> str:
    """Yahoo writes a share class BRK-B."""
    return symbol.replace("-", ".")


def _checked(row: Mapping[str, str], start: datetime, line: int) -> BarRow:
    if not SYMBOL.fullmatch(row["symbol"]):
        raise BarFileError(
            f"symbol = {row['symbol']!r}: up to 16 capitals, digits, dots and dashes are allowed"
        )
    prices = {name: _price(name, row[name]) for name in ("open", "high", "low", "close")}
    if prices["low"] != min(prices.values()) or prices["high"] != max(prices.values()):
        raise BarFileError(
            f"open {row['open']} and close {row['close']} must lie between "
            f"low {row['low']} and high {row['high']}"
        )
    return BarRow(
        line=line,
        symbol=row["symbol"],
        start=start,
        volume=_volume(row["volume"]),
        vwap=_vwap(row.get("vwap", ""), prices["low"], prices["high"]),
        **prices,
    )


def _vwap(text: str, low: Decimal, high: Decimal) -> Decimal | None:
    if not text:
        return None
    vwap = _price("vwap", text)
    if not low * (1 - VWAP_TOLERANCE) <= vwap <= high * (1 + VWAP_TOLERANCE):
        raise BarFileError(f"vwap {text} is far outside low {low} to high {high}: wrong unit?")
    return vwap


def _minute(text: str, zone: ZoneInfo | None) -> datetime:
    """The start of the bar in New York time."""
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        raise BarFileError(
            f"timestamp = {text!r} is a day without a time: daily bars? One-minute bars are needed"
        )
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise BarFileError(
            f"timestamp = {text!r}: a time such as 2024-06-12T09:30:00-04:00 is allowed"
        ) from None
    if _ODD_OFFSET.search(text):  # Python reads -05:75 as -06:15
        raise BarFileError(f"timestamp = {text!r}: an offset such as -04:00 is allowed")
    if at.second or at.microsecond:
        raise BarFileError(f"timestamp = {text!r}: the start of a minute is allowed")
    if at.tzinfo is None:
        at = _placed(at, text, zone)
    if not YEARS[0] < at.year < YEARS[1]:
        raise BarFileError(
            f"timestamp = {text!r}: a year between {YEARS[0]} and {YEARS[1]} is allowed"
        )
    return at.astimezone(NEW_YORK)


def _placed(at: datetime, text: str, zone: ZoneInfo | None) -> datetime:
    """A time without an offset in the file's zone, where that names exactly one moment."""
    if zone is None:
        raise BarFileError(
            f"timestamp = {text!r} has no offset, so its zone is not known: "
            "name the file's zone, such as --timezone America/New_York or --timezone UTC"
        )
    placed = at.replace(tzinfo=zone)
    if placed.utcoffset() != placed.replace(fold=1).utcoffset():
        raise BarFileError(
            f"timestamp = {text!r} comes twice or never in {zone.key}, where the clocks change: "
            "write it with its offset"
        )
    return placed


def _price(name: str, text: str) -> Decimal:
    price = _number(text)
    if price is None or not PRICE_STEP <= price <= MAX_PRICE:
        raise BarFileError(f"{name} = {text!r}: a price above 0 and up to {MAX_PRICE:,} is allowed")
    return price


def _volume(text: str) -> int:
    volume = _number(text)
    if volume is None or not 0 <= volume <= LARGEST_VOLUME or volume % 1:
        raise BarFileError(
            f"volume = {text!r}: a whole number of shares from 0 to {LARGEST_VOLUME:,} is allowed"
        )
    return int(volume)


def _number(text: str) -> Decimal | None:
    return Decimal(text) if NUMBER.fullmatch(text) else None
