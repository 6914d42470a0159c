"""Files of one-minute bars: CSV or gzip CSV, one bar a line."""

import csv
import gzip
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from io import TextIOWrapper
from re import compile as pattern
from typing import BinaryIO, TextIO
from zlib import error as BrokenCompression  # noqa: N812

from .calendar import NEW_YORK

COLUMNS = ("symbol", "timestamp", "open", "high", "low", "close", "volume")
OPTIONAL = ("vwap",)
SYMBOL = pattern(r"[A-Z][A-Z0-9.-]{0,15}")
GZIP_MAGIC = b"\x1f\x8b"
PRICES = (Decimal("0.000001"), Decimal("999999999999"))  # what the column holds
LARGEST_VOLUME = 2**63 - 1


class BarFileError(ValueError):
    """The file cannot be used; the text names the line, the field, the value and the rule."""


@dataclass(frozen=True, slots=True)
class BarRow:
    """One line of the file; `start` in UTC."""

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
    text: TextIO, *, symbols: Collection[str] = (), days: Collection[date] = ()
) -> Iterator[BarRow]:
    """The bars of the named symbols and New York days (none named: all), in the file's order.

    A timestamp is the start of its minute, with an offset or else in New York time. Raises
    BarFileError.
    """
    reader = csv.reader(text, strict=True)
    try:
        header = _header(next(reader, None))
        for fields in filter(None, reader):  # blank lines say nothing
            try:
                bar = _bar(header, fields, symbols, days)
            except BarFileError as error:
                raise BarFileError(f"line {reader.line_num}: {error}") from None
            if bar:
                yield bar
    except (csv.Error, UnicodeDecodeError) as error:
        raise BarFileError(f"line {reader.line_num}: not CSV text: {error}") from None
    except (EOFError, gzip.BadGzipFile, BrokenCompression) as error:
        raise BarFileError(f"after line {reader.line_num}: the gzip is broken: {error}") from None


def _header(fields: list[str] | None) -> list[str]:
    if fields is None:
        raise BarFileError("the file is empty")
    wrong = [name for name in fields if name not in COLUMNS + OPTIONAL]
    missing = [name for name in COLUMNS if name not in fields]
    if wrong or missing or len(set(fields)) < len(fields):
        raise BarFileError(
            f"line 1: the header is {','.join(fields)}; it must name {','.join(COLUMNS)} "
            "once each, in any order, and may name vwap"
        )
    return fields


def _bar(
    header: list[str], fields: list[str], symbols: Collection[str], days: Collection[date]
) -> BarRow | None:
    if len(fields) != len(header):
        raise BarFileError(f"{len(fields)} fields instead of {len(header)}")
    row = dict(zip(header, fields, strict=True))
    if symbols and row["symbol"] not in symbols:
        return None
    start = _minute(row["timestamp"])
    if days and start.date() not in days:
        return None
    return _checked(row, start.astimezone(UTC))


def _checked(row: Mapping[str, str], start: datetime) -> BarRow:
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
    vwap = row.get("vwap", "")
    return BarRow(
        symbol=row["symbol"],
        start=start,
        volume=_volume(row["volume"]),
        vwap=_price("vwap", vwap) if vwap else None,
        **prices,
    )


def _minute(text: str) -> datetime:
    """The start of the bar in New York time."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise BarFileError(
            f"timestamp = {text!r}: a time such as 2024-06-12T09:30:00-04:00 is allowed"
        ) from None
    if at.second or at.microsecond:
        raise BarFileError(f"timestamp = {text!r}: the start of a minute is allowed")
    return at.replace(tzinfo=NEW_YORK) if at.tzinfo is None else at.astimezone(NEW_YORK)


def _price(name: str, text: str) -> Decimal:
    try:
        price = Decimal(text)
    except InvalidOperation:
        price = Decimal("NaN")
    if not (price.is_finite() and PRICES[0] <= price <= PRICES[1]):
        raise BarFileError(f"{name} = {text!r}: a price above 0 is allowed")
    return price


def _volume(text: str) -> int:
    try:
        volume = Decimal(text)
    except InvalidOperation:
        volume = Decimal("NaN")
    if not (volume.is_finite() and 0 <= volume <= LARGEST_VOLUME and volume % 1 == 0):
        raise BarFileError(f"volume = {text!r}: a whole number of shares from 0 is allowed")
    return int(volume)
