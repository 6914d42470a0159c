"""TWAP: equal slices at equal distances, moved a little at random."""

from datetime import datetime, timedelta

from execution.domain.algorithms.base import PlannedSlice, _check_slices, _scheduled
from execution.domain.lots import most_pieces, split
from execution.domain.slice_times import check_window, even_times


def plan_twap(
    *,
    quantity: int,
    start: datetime,
    end: datetime,
    slices: int,
    jitter: timedelta,
    seed: int,
    lot: int = 1,
    min_slice: int = 1,
    max_slice: int | None = None,
) -> tuple[PlannedSlice, ...]:
    """Equal slices at `start + k * (end - start) / n`, each moved by up to `jitter`.

    n is `slices`, or as many as the quantity is enough for at `min_slice` and one lot each.
    Raises ValueError naming the argument that is wrong.
    """
    check_window(start, end)
    _check_slices(slices)
    count = min(slices, most_pieces(quantity, lot=lot, min_slice=min_slice))
    pieces = split(quantity, [1.0] * count, lot=lot, min_slice=min_slice, max_slice=max_slice)
    times = even_times(start, end, count)
    return _scheduled(pieces, [times[piece.slot] for piece in pieces], end, jitter, seed)
