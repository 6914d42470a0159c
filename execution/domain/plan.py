"""The slices of an order, and the size of each child when its moment has come."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from execution.domain.exchange_time import exchange_time
from execution.domain.schedule import check_window, even_times, jittered
from execution.domain.session import Session
from execution.domain.sizing import Piece, most_pieces, split
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


def plan_single(quantity: int, start: datetime, end: datetime) -> tuple[PlannedSlice, ...]:
    """The whole quantity in one slice over the whole window (MARKET and LIMIT)."""
    check_window(start, end)
    return _slices(split(quantity, [1.0]), [start], end)


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


def plan_vwap(
    *,
    quantity: int,
    start: datetime,
    end: datetime,
    slices: int,
    session: Session,
    profile: Profile,
    seed: int,
    jitter: timedelta = timedelta(0),
    lot: int = 1,
    min_slice: int = 1,
    max_slice: int | None = None,
) -> tuple[PlannedSlice, ...]:
    """Slices sized by the share of the session's volume that the profile expects in each interval.

    The window is cut into `slices` equal intervals; an interval whose share is too small for a
    slice of its own is served by a neighbour. Raises ValueError naming the argument that is wrong,
    also when the profile expects no volume in the window.
    """
    check_window(start, end)
    _check_slices(slices)
    times = even_times(start, end, slices)
    weights = profile.weights(session, times, end)
    if not any(weights):
        raise ValueError(
            f"start = {exchange_time(start)}, end = {exchange_time(end)}: no volume is expected"
            f" there; the regular session is {exchange_time(session.open)} to"
            f" {exchange_time(session.close)}"
        )
    pieces = split(quantity, weights, lot=lot, min_slice=min_slice, max_slice=max_slice)
    return _scheduled(pieces, [times[piece.slot] for piece in pieces], end, jitter, seed)


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


class Target(NamedTuple):
    """A slice's own shares and the parent's total after it, as `next_child` reads them."""

    planned: int
    cumulative: int


def retarget(*, quantity: int, share: float, before: int, lot: int = 1) -> Target:
    """Aim a slice anew, at `share` (0 to 1) of the parent once it is done.

    `before` is the cumulative target of the slice before it, 0 for the first. A curve that has come
    down plans nothing, and never takes back: the total stays at `before`.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share = {share}: must be between 0 and 1")
    aim = quantity if share == 1 else int(share * quantity / lot + 0.5) * lot
    cumulative = max(min(aim, quantity), before)
    return Target(cumulative - before, cumulative)


class ChildReason(StrEnum):
    """Why a child has its size."""

    ON_CURVE = "ON_CURVE"
    CATCHING_UP = "CATCHING_UP"  # a part of what earlier slices missed is added
    AHEAD_OF_CURVE = "AHEAD_OF_CURVE"  # less than planned, or nothing
    LAST_TAKES_REST = "LAST_TAKES_REST"
    BELOW_MIN_SLICE = "BELOW_MIN_SLICE"  # too small to be sent: later slices catch it up
    PRICE_IS_GOOD = "PRICE_IS_GOOD"  # all that is left, at the would price or better
    NOTHING_LEFT = "NOTHING_LEFT"


class Child(NamedTuple):
    """The shares to send now (0: send nothing), and why."""

    quantity: int
    reason: ChildReason


def next_child(
    *,
    quantity: int,
    filled: int,
    working: int,
    planned: int,
    cumulative: int,
    slices_left: int,
    lot: int = 1,
    min_slice: int = 1,
    max_slice: int | None = None,
    good_price: bool = False,
) -> Child:
    """Size the child of a slice from the curve, with F = `filled` and W = `working` of the parent.

    behind = cumulative - planned - (F + W) is what should have been done before this slice and was
    not. It is spread evenly over the `slices_left` (this one included), so an outage never ends
    in a burst: the child is planned + ceil(behind / slices_left), the catch-up rounded up to lots.
    When ahead, the child is planned + behind rounded down to lots, or nothing. The last slice takes
    all that is left, and so does any slice at a `good_price`. Never more than Q - F - W, nor than
    the whole lots of `max_slice`. Only the last slice may send less than `min_slice`; a rest that
    is smaller goes along with the child before it where `max_slice` allows that.
    """
    if slices_left < 1:
        raise ValueError(f"slices_left = {slices_left}: must be at least 1, this slice included")
    room = quantity - filled - working
    if room <= 0:
        return Child(0, ChildReason.NOTHING_LEFT)
    behind = cumulative - planned - filled - working
    size, reason = _on_curve(planned, behind, slices_left, lot)
    if good_price or slices_left == 1:
        taking = ChildReason.PRICE_IS_GOOD if good_price else ChildReason.LAST_TAKES_REST
        size, reason = room, reason if size == room else taking
    elif size and 0 < room - size < min_slice:
        size = room
    size = _at_most(min(size, room), max_slice, lot)
    if 0 < size < min(min_slice, room):
        return Child(0, ChildReason.BELOW_MIN_SLICE)
    return Child(size, reason)


def _on_curve(planned: int, behind: int, slices_left: int, lot: int) -> tuple[int, ChildReason]:
    if behind > 0:
        missed = -(-behind // slices_left)
        return planned + -(-missed // lot) * lot, ChildReason.CATCHING_UP
    if behind < 0:
        return max((planned + behind) // lot * lot, 0), ChildReason.AHEAD_OF_CURVE
    return planned, ChildReason.ON_CURVE if planned else ChildReason.AHEAD_OF_CURVE


def _at_most(size: int, most: int | None, lot: int) -> int:
    return size if most is None or size <= most else most // lot * lot


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
