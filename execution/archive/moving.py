"""Ended orders leave the database for files, some hundred at a time.

Each batch is written, read back, and every order of it computed anew from the files, before one
transaction notes where its rows are and removes them. Whoever dies in between leaves the rows where
they were, and files that nothing refers to. The order itself stays, with its totals and costs.
"""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from django.db import connection, transaction
from django.db.models import Exists, Max, OuterRef, Q, QuerySet

from execution.archive import files, proof
from execution.archive.manifest import ArchiveError, Manifest
from execution.domain.lifecycle import ORDER_TERMINAL, SLICE_TERMINAL
from execution.models import Archive, ArchivedOrder, Order, OrderEvent, Slice
from execution.orders import verification

# Of one batch: its transaction removes about five rows for each slice.
MOST_ORDERS, MOST_SLICES = 200, 2_000


@dataclass(frozen=True, slots=True)
class Moved:
    """One batch: what left the database, and the orders that did not, since their rows contradict
    each other (`manage.py verify` says how)."""

    folder: Path | None
    orders: int
    rows: int
    contradictory: Sequence[int] = ()


def archive(folder: Path, *, before: datetime, only: Q, key: str) -> Iterator[Moved]:
    """Batch by batch, the orders to which nothing has happened since `before` (real time) and that
    `only` allows. `key` seals the manifests. Not inside a transaction. Raises ArchiveError, with
    the batch's rows where they were."""
    passed = 0
    while ids := _next(before, only, passed):
        passed = ids[-1]
        wrong = {each.order for each in verification.check(ids)}
        right = [each for each in ids if each not in wrong]
        moved = _move(folder, right, key) if right else Moved(None, 0, 0)
        yield replace(moved, contradictory=sorted(wrong))


def waiting(*, before: datetime, only: Q) -> int:
    """How many orders there are to be archived."""
    return _ended(before, only).count()


def _ended(before: datetime, only: Q) -> "QuerySet[Order]":
    """The newest event of all stays in the database, from which recovery mode knows its age."""
    newest = OrderEvent.objects.aggregate(id=Max("pk"))["id"] or 0
    own = OrderEvent.objects.filter(order=OuterRef("pk"))
    recent = own.filter(Q(recorded_at_real__gte=before) | Q(pk=newest))
    unsettled = Slice.objects.filter(order=OuterRef("pk")).exclude(status__in=SLICE_TERMINAL)
    ended = Order.objects.filter(only, status__in=ORDER_TERMINAL, archived__isnull=True)
    return ended.filter(~Exists(recent), ~Exists(unsettled), created_at_real__lt=before)


def _next(before: datetime, only: Q, passed: int) -> list[int]:
    rows = _ended(before, only).filter(pk__gt=passed).order_by("pk")
    ids: list[int] = []
    slices = 0
    for each, count in rows.values_list("pk", "slice_count")[:MOST_ORDERS]:
        slices += count
        if ids and slices > MOST_SLICES:
            break
        ids.append(each)
    return ids


def _move(folder: Path, ids: Sequence[int], key: str) -> Moved:
    own = _unused(folder, f"orders-{ids[0]}-{ids[-1]}")
    try:
        manifest, known = _write(own, ids, key)
    except BaseException:  # such as a full disk: nothing was removed yet
        shutil.rmtree(own)
        raise
    try:
        manifest.check(own, key=key, known=known)
        proof.check(own, ids)
        _remove(own.name, manifest, known)
    except ArchiveError:
        shutil.rmtree(own)
        raise
    # After any other error, such as a connection that broke during the commit, the files may be all
    # that is left of these rows: they stay.
    return Moved(own, len(ids), manifest.rows)


def _unused(folder: Path, name: str) -> Path:
    """Made now. What a killed run, or another database, has left under the name stays as it is."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    number = 1
    while True:
        own = folder / (name if number == 1 else f"{name}-{number}")
        try:
            own.mkdir(mode=0o700)
        except FileExistsError:
            number += 1
            continue
        return own


def _write(own: Path, ids: Sequence[int], key: str) -> tuple[Manifest, str]:
    with transaction.atomic(durable=True):
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        parts = files.write(own, ids)
        latest = Archive.objects.order_by("-pk").values_list("manifest_sha256", flat=True).first()
    manifest = Manifest(orders=list(ids), previous=latest or "", parts=parts)
    manifest = manifest.sealed(key) if key else manifest
    known = manifest.write(own)
    for each in (own, own.parent):
        files.settle(each)
    return manifest, known


@transaction.atomic(durable=True)
def _remove(name: str, manifest: Manifest, known: str) -> None:
    """The rows in the files and no others: an order that has changed since keeps all of its own."""
    ids = list(manifest.orders)
    held = list(Order.objects.select_for_update().filter(pk__in=ids).order_by("pk"))
    if len(held) != len(ids) or ArchivedOrder.objects.filter(order__in=ids).exists():
        raise ArchiveError(f"{name}: another run archives the same orders")
    brokers = dict(
        Slice.objects.filter(order__in=ids).exclude(broker="").values_list("order_id", "broker")
    )
    row = Archive.objects.create(
        name=name, manifest_sha256=known, orders=len(ids), rows=manifest.rows
    )
    ArchivedOrder.objects.bulk_create(
        ArchivedOrder(order_id=each, archive=row, broker=brokers.get(each, "")) for each in ids
    )
    # The trail only grows: whatever happened to an order since has made more rows of it.
    for file, gone in _delete(ids).items():
        if gone != (written := manifest.parts[file].rows):
            raise ArchiveError(f"{name}: {file} has {written:,} rows, the database {gone:,}")


def _delete(ids: Sequence[int]) -> dict[str, int]:
    """Rows by file. The fills that go stay in the positions, by the trigger of migration 0032."""
    gone = {}
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('deepstack.archiving', 'on', true)")
        for file in ("events.csv.gz", "fills.csv.gz", "slices.csv.gz"):
            table = files.TABLES[file]._meta.db_table
            cursor.execute(f"DELETE FROM {table} WHERE order_id = ANY(%s)", [list(ids)])  # noqa: S608
            gone[file] = cursor.rowcount
        cursor.execute("SELECT set_config('deepstack.archiving', '', true)")
    return gone
