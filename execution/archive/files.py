"""The rows of orders as compressed CSV with headings: written by PostgreSQL, read by anything."""

import csv
import gzip
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path

from django.db import connection, models

from deepstack.backup.manifest import sha256
from deepstack.config import ROOT, Config
from execution.archive.manifest import Part
from execution.domain.order_record import EventRow, Executed, SliceRow
from execution.models import Fill, Order, OrderEvent, Slice

# By the file's name; `orders` for whoever reads the files without the database.
TABLES: Mapping[str, type[models.Model]] = {
    "orders.csv.gz": Order,
    "slices.csv.gz": Slice,
    "fills.csv.gz": Fill,
    "events.csv.gz": OrderEvent,
}
Row = Mapping[str, str]


def folder_of(config: Config) -> Path:
    return ROOT / config.archive.folder


def write(folder: Path, ids: Sequence[int]) -> dict[str, Part]:
    """Every row of these orders, as the transaction of the caller sees them."""
    return {name: _write(folder / name, model, ids) for name, model in TABLES.items()}


def read(path: Path) -> Iterator[Row]:
    """Each row by its column's name; what is null is an empty text."""
    with gzip.open(path, "rt", newline="", encoding="utf-8") as file:
        yield from csv.DictReader(file)


def settle(folder: Path) -> None:
    """Have the names in the folder on the disk before anybody counts on them."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _write(path: Path, model: type[models.Model], ids: Sequence[int]) -> Part:
    key = "id" if model is Order else "order_id"
    text = (
        f'COPY (SELECT * FROM "{model._meta.db_table}" WHERE {key} IN'  # noqa: S608
        f" ({', '.join(str(int(each)) for each in ids)}) ORDER BY id)"
        " TO STDOUT WITH (FORMAT csv, HEADER)"
    )
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        with (
            gzip.GzipFile(fileobj=file, mode="wb", mtime=0) as compressed,
            connection.wrap_database_errors,
            connection.cursor() as cursor,
            cursor.copy(text) as copy,
        ):
            for block in copy:
                compressed.write(bytes(block))
        file.flush()
        os.fsync(file.fileno())
    return Part(rows=sum(1 for _ in read(path)), sha256=sha256(path))


def slices_of(folder: Path) -> Iterator[tuple[int, int, int, SliceRow]]:
    """Order, slice id, sequence, and what the checks need of it."""
    for row in read(folder / "slices.csv.gz"):
        known = SliceRow(row["status"], int(row["quantity"] or 0), int(row["filled_quantity"]))
        yield int(row["order_id"]), int(row["id"]), int(row["sequence"]), known


def fills_of(folder: Path) -> Iterator[tuple[int, int, str, Executed]]:
    """Order, slice id, execution id, and the execution."""
    for row in read(folder / "fills.csv.gz"):
        fee = Decimal(row["commission"]) if row["commission"] else None
        done = Executed(int(row["quantity"]), Decimal(row["price"]), fee)
        yield int(row["order_id"]), int(row["slice_id"]), row["execution_id"], done


def events_of(folder: Path) -> Iterator[tuple[int, EventRow, Row]]:
    """Order, the event, and all of its columns, oldest first."""
    for row in read(folder / "events.csv.gz"):
        event = EventRow(int(row["id"]), row["kind"], json.loads(row["data"]))
        yield int(row["order_id"]), event, row
