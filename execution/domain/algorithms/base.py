"""What every algorithm is given, and the slices that it plans."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from execution.domain.lots import Piece, most_pieces, split
from execution.domain.session import Session
from execution.domain.slice_times import check_window, even_times, jittered
from execution.domain.volume_grid import Grid, volume_times
from execution.domain.volume_profile import Profile

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


@dataclass(frozen=True, slots=True)
class Spec:
    """What a plan is made from; `slices` is the target, a small order gets fewer.

    Volumes in shares of a session, `session_volume` of this one; `price` per share, the volatility
    a fraction a day, `risk_aversion` per $. None is unknown. What is worked at once has one slice,
    whatever the bounds of slices. With a `grid`, algorithms that follow the volume cut the `slices`
    further where it is fast; None: `slices` of equal length.
    """

    quantity: int
    start: datetime
    end: datetime
    slices: int
    session: Session
    profile: Profile
    seed: int
    jitter: timedelta
    participation: float = 0.10
    session_volume: float | None = None
    average_daily_volume: float | None = None
    daily_volatility: float | None = None
    price: float | None = None
    spread_bps: float = 0.0
    risk_aversion: float = 0.0
    lot: int = 1
    min_slice: int = 1
    max_slice: int | None = None
    grid: Grid | None = None


Plan = Callable[[Spec], tuple[PlannedSlice, ...]]


def weighted(
    spec: Spec, times: Sequence[datetime], weights: Sequence[float]
) -> tuple[PlannedSlice, ...]:
    """Slices at `times`, sized by their weights; see `lots.split` for weights too small."""
    pieces = split(
        spec.quantity,
        weights,
        lot=spec.lot,
        min_slice=spec.min_slice,
        max_slice=spec.max_slice,
    )
    due = jittered(
        [times[piece.slot] for piece in pieces], spec.end, spread=spec.jitter, seed=spec.seed
    )
    return slices_of(pieces, due, spec.end)


def due_times(spec: Spec) -> tuple[datetime, ...]:
    """When the slices are due that follow the market's volume, before jitter. Raises ValueError
    that names `slices` or the window."""
    if spec.grid is None:
        return even_times(spec.start, spec.end, spec.slices)
    return volume_times(
        spec.start,
        spec.end,
        spec.slices,
        quantity=spec.quantity,
        session=spec.session,
        profile=spec.profile,
        grid=replace(spec.grid, least=max(spec.grid.least, spec.min_slice)),
    )


def slices_of(
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


def equal_slices(
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
    if slices < 1:
        raise ValueError(f"slices = {slices}: must be at least 1")
    count = min(slices, most_pieces(quantity, lot=lot, min_slice=min_slice))
    pieces = split(quantity, [1.0] * count, lot=lot, min_slice=min_slice, max_slice=max_slice)
    times = even_times(start, end, count)
    due = jittered([times[piece.slot] for piece in pieces], end, spread=jitter, seed=seed)
    return slices_of(pieces, due, end)
