"""The slices of an order, and the size of each child when its moment has come."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from execution.domain.lots import Piece, split
from execution.domain.slice_times import check_window, jittered

# An unfilled rest is cancelled after 17 of 20 parts of the time to the next slice; the cancel has
# the remainder to be confirmed before the next child is sized.
_WORKING_PARTS = 17, 20


@dataclass(frozen=True, slots=True)
class PlannedSlice:
    """One slice: `quantity` shares from `due_at`; an unfilled rest is cancelled at `end_at`.

    `cumulative_quantity` is what the parent should have executed once this slice is done.
    """

    sequence: int
    due_at: datetime
    end_at: datetime
    quantity: int
    cumulative_quantity: int


def plan_single(quantity: int, start: datetime, end: datetime) -> tuple[PlannedSlice, ...]:
    """The whole quantity in one slice over the whole window (MARKET and LIMIT)."""
    check_window(start, end)
    return _slices(split(quantity, [1.0]), [start], end)


def plan_weighted(
    *,
    quantity: int,
    times: Sequence[datetime],
    end: datetime,
    weights: Sequence[float],
    jitter: timedelta,
    seed: int,
    lot: int = 1,
    min_slice: int = 1,
    max_slice: int | None = None,
) -> tuple[PlannedSlice, ...]:
    """Slices at `times`, sized by their weights; see `sizing.split` for weights too small."""
    pieces = split(quantity, weights, lot=lot, min_slice=min_slice, max_slice=max_slice)
    return _scheduled(pieces, [times[piece.slot] for piece in pieces], end, jitter, seed)


def _scheduled(
    pieces: Sequence[Piece],
    times: Sequence[datetime],
    end: datetime,
    jitter: timedelta,
    seed: int,
) -> tuple[PlannedSlice, ...]:
    return _slices(pieces, jittered(times, end, spread=jitter, seed=seed), end)


def _slices(
    pieces: Sequence[Piece], times: Sequence[datetime], end: datetime
) -> tuple[PlannedSlice, ...]:
    working, parts = _WORKING_PARTS
    planned: list[PlannedSlice] = []
    done = 0
    for sequence, (piece, due) in enumerate(zip(pieces, times, strict=True)):
        done += piece.size
        last = sequence + 1 == len(times)
        end_at = end if last else due + (times[sequence + 1] - due) * working // parts
        planned.append(PlannedSlice(sequence, due, end_at, piece.size, done))
    return tuple(planned)


def _check_slices(slices: int) -> None:
    if slices < 1:
        raise ValueError(f"slices = {slices}: must be at least 1")
