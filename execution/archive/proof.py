"""Whether the files alone say what the orders say of themselves: asked before anything is removed,
and whenever somebody doubts it later."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from execution.archive import files
from execution.archive.manifest import ArchiveError
from execution.domain.order_record import (
    EventRow,
    Executed,
    FillKey,
    OrderRecord,
    SliceRow,
    disagreements,
)
from execution.models import Order


def check(folder: Path, ids: Sequence[int]) -> None:
    """Raises ArchiveError with the first order whose files contradict its row."""
    for order, words in differences(folder, ids):
        raise ArchiveError(f"{folder}: order {order}: {words}")


def differences(folder: Path, ids: Sequence[int]) -> Iterator[tuple[int, str]]:
    """Each order computed anew from its slices, fills and events in the files."""
    slices: dict[int, dict[int, SliceRow]] = defaultdict(dict)
    fills: dict[int, dict[FillKey, Executed]] = defaultdict(dict)
    events: dict[int, list[EventRow]] = defaultdict(list)
    sequences: dict[int, int] = {}
    for order, key, sequence, row in files.slices_of(folder):
        slices[order][sequence], sequences[key] = row, sequence
    for order, key, execution, done in files.fills_of(folder):
        fills[order][sequences[key], execution] = done
    for order, event, _ in files.events_of(folder):
        events[order].append(event)
    stored = Order.objects.in_bulk(list(ids))
    for each in ids:
        if each not in stored:
            yield each, "the database does not have it"
            continue
        own = stored[each]
        record = OrderRecord(
            quantity=own.quantity,
            status=own.status,
            filled=own.filled_quantity,
            notional=own.filled_notional,
            commission=own.commission,
            slices=slices[each],
            fills=fills[each],
            events=events[each],
        )
        yield from ((each, words) for words in disagreements(record))
