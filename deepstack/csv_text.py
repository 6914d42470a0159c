"""Rows as CSV (RFC 4180) that a spreadsheet may open without harm."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from io import StringIO

# A cell that begins so is a formula to a spreadsheet, wherever its text came from.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def lines(rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """One line a row. Text that a spreadsheet would run is put behind an apostrophe; numbers are
    left as they are, and None is an empty cell."""
    buffer = StringIO()
    writer = csv.writer(buffer)
    for row in rows:
        writer.writerow([_harmless(value) for value in row])
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()


def _harmless(value: object) -> object:
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return f"{value:f}" if isinstance(value, Decimal) else value
