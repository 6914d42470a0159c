"""A list as a file of comma-separated values: every stored column of the rows that it finds."""

import csv
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import Field, Model, QuerySet

AT_ONCE = 2_000  # rows that one query reads, so that no transaction outlasts a slow reader
_PRIVATE = re.compile("secret|token|password")
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


class _Line:
    """What the writer of the csv module writes to: it hands the line back."""

    def write(self, line: str) -> str:
        return line


def columns(model: type[Model], hidden: Iterable[str] = ()) -> Sequence[str]:
    """Names of the model's columns, the primary key first; without what is nobody's to read."""
    fields: Sequence[Field[Any, Any]] = model._meta.concrete_fields
    return [
        field.attname
        for field in fields
        if field.name not in set(hidden) and not _PRIVATE.search(field.name)
    ]


def lines(rows: QuerySet[Any], names: Sequence[str]) -> Iterator[str]:
    """A head, then the rows from the highest primary key down, read as they are asked for."""
    write = csv.writer(_Line()).writerow
    yield write(names)
    rows, last = rows.order_by("-pk").values_list("pk", *names), None
    while True:
        batch = list((rows if last is None else rows.filter(pk__lt=last))[:AT_ONCE])
        for pk, *values in batch:
            last = pk
            yield write([cell(value) for value in values])
        if len(batch) < AT_ONCE:
            return


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
