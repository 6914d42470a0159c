"""How large the next child is: the curve's target less what is filled and what works."""

from enum import StrEnum
from typing import NamedTuple


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
