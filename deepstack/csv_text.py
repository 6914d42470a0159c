"""Rows as CSV (RFC 4180) that a spreadsheet may open without harm."""

import csv
import json
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

# A cell that begins so is a formula to a spreadsheet, wherever its text came from.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


class _Line:
    """What the writer of the csv module writes to: it hands the line back."""

    def write(self, line: str) -> str:
        return line


_write = csv.writer(_Line()).writerow


def line(values: Sequence[object]) -> str:
    written: str = _write([cell(value) for value in values])
    return written


def cell(value: object) -> object:
    """Times in ISO format, exact numbers, empty for what is not known. A text that a spreadsheet
    would take for a formula begins with an apostrophe."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, dict | list):
        return json.dumps(value)
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value
