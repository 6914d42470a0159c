"""What was archived, read back: one order's trail, or everything against its checksums."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from execution.archive import files, proof
from execution.archive.manifest import ArchiveError, Manifest
from execution.models import (
    Archive,
    ArchivedOrder,
    ArchivedTrade,
    Order,
    OrderEvent,
    Slice,
)


def of_order(order: Order) -> ArchivedOrder | None:
    """Where the parts of an order are; None while they are in the database."""
    return ArchivedOrder.objects.select_related("archive").filter(pk=order.pk).first()


def trail(member: ArchivedOrder, folder: Path, *, key: str) -> list[OrderEvent]:
    """An archived order's events as they stood in the audit trail, oldest first; of
    a slice only its sequence is known. Not to be saved.

    Raises ArchiveError unless the files are those
    that were written."""
    own = folder / member.archive.name
    Manifest.read(own).check(own, key=key, known=member.archive.manifest_sha256)
    parts = {
        part: Slice(pk=part, sequence=sequence)
        for order, part, sequence, _ in files.slices_of(own)
        if order == member.pk
    }
    return [
        OrderEvent(
            pk=event.id,
            order_id=member.pk,
            slice=parts.get(int(row["slice_id"] or 0)),
            kind=event.kind,
            data=dict(event.data),
            at=_moment(row["at"]),
            recorded_at_real=_moment(row["recorded_at_real"]),
        )
        for order, event, row in files.events_of(own)
        if order == member.pk
    ]


def _moment(text: str) -> datetime:
    """As PostgreSQL writes it, in the zone of the session: UTC."""
    return datetime.fromisoformat(text)


def problems(folder: Path, *, key: str) -> Iterator[str]:
    """A sentence for each archive that is missing, is not as it was written, or from which its
    orders cannot be computed anew; of whole ones, whether they add up to what the positions count
    on."""
    previous, whole = "", True
    shares: Counter[tuple[str, str, str]] = Counter()
    for archive in Archive.objects.order_by("pk"):
        own = folder / archive.name
        try:
            manifest = Manifest.read(own)
            manifest.check(own, key=key, known=archive.manifest_sha256)
            proof.check(own, manifest.orders)
            shares += _shares(own)
        except ArchiveError as error:
            yield str(error)
            previous, whole = archive.manifest_sha256, False
            continue
        if manifest.previous != previous:
            yield f"{own}: the archive before it is another one"
        previous = archive.manifest_sha256
    if whole and shares != _counted():
        yield "the fills in the archives are not those that the positions count on"


def _shares(own: Path) -> Counter[tuple[str, str, str]]:
    """By account, symbol and side."""
    books = {
        row["id"]: (row["account"], row["symbol"], row["side"])
        for row in files.read(own / "orders.csv.gz")
    }
    found: Counter[tuple[str, str, str]] = Counter()
    for row in files.read(own / "fills.csv.gz"):
        found[books[row["order_id"]]] += int(row["quantity"])
    return found


def _counted() -> Counter[tuple[str, str, str]]:
    found: Counter[tuple[str, str, str]] = Counter()
    for account, symbol, side, shares in ArchivedTrade.objects.values_list(
        "account", "symbol", "side", "shares"
    ):
        found[account, symbol, side] += shares
    return found
