"""A list as a file of comma-separated values: every stored column of the rows that it finds."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.db.models import Field, Model, QuerySet

from deepstack import csv_text

AT_ONCE = 2_000  # rows that one query reads, so that no transaction outlasts a slow reader
_PRIVATE = re.compile("secret|token|password")


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
    yield csv_text.line(names)
    rows, last = rows.order_by("-pk").values_list("pk", *names), None
    while True:
        batch = list((rows if last is None else rows.filter(pk__lt=last))[:AT_ONCE])
        for pk, *values in batch:
            last = pk
            yield csv_text.line(values)
        if len(batch) < AT_ONCE:
            return
