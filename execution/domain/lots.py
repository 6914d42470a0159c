"""Cutting a quantity into whole-lot slices that follow given weights and add up exactly."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import inf, isfinite
from typing import NamedTuple


class Piece(NamedTuple):
    """`size` shares for one slot: an index into the weights."""

    slot: int
    size: int


def split(
    total: int,
    weights: Sequence[float],
    *,
    lot: int = 1,
    min_slice: int = 1,
    max_slice: int | None = None,
) -> tuple[Piece, ...]:
    """Cut `total` shares into at most `len(weights)` pieces, in the order of the weights.

    A slot too small for a piece of its own is served by the piece nearest to it: the result names
    the slot of each piece, and slots may be left out. Every piece is a multiple of `lot` within
    [min_slice, max_slice]; only the last holds an odd lot, when `total` is not a multiple.
    Sizes come from the rounded cumulative weights, so the running sum stays within half a piece
    of the exact curve wherever the bounds allow it. Weights: finite, not negative, not all zero;
    a slot of weight zero receives shares only where `max_slice` leaves no other way.

    Raises ValueError, with the numbers, when an argument is wrong or no such cut exists.
    """
    _check_sizes(total, lot, min_slice, max_slice)
    curve = _cumulative(weights)
    bounds = _bounds(total, len(curve), lot, min_slice, max_slice)
    return tuple(_pieces(total, curve, bounds))


def most_pieces(total: int, *, lot: int = 1, min_slice: int = 1) -> int:
    """How many pieces of at least `min_slice` and one lot `total` shares can make; 1 or more."""
    return max(total // _round_up(max(min_slice, lot), lot), 1)


@dataclass(frozen=True, slots=True)
class _Bounds:
    """What one piece may hold, in shares; the last piece may differ by the odd lot."""

    lot: int
    least: int
    most: float
    last_least: int
    last_most: float

    def fits(self, rest: int, slots: int) -> bool:
        """Whether `rest` shares can be cut into at most `slots` pieces."""
        if rest <= 0 or slots <= 0:
            return rest == 0
        if rest < self.last_least:
            return False
        if self.most == inf:
            return True
        return rest <= self.upper(min(slots, self.pieces(rest)))

    def pieces(self, rest: int) -> int:
        """The most pieces that `rest` shares are enough for."""
        return 1 + (rest - self.last_least) // self.least

    def lower(self, pieces: int) -> int:
        return (pieces - 1) * self.least + self.last_least

    def upper(self, pieces: int) -> float:
        return (pieces - 1) * self.most + self.last_most if pieces > 1 else self.last_most


def _pieces(total: int, curve: Sequence[float], bounds: _Bounds) -> list[Piece]:
    pieces: list[Piece] = []
    rest, slots = total, len(curve)
    for slot, share in enumerate(curve):
        slots -= 1
        size = _wanted(share * total - (total - rest), rest, bounds)
        if not bounds.fits(rest - size, slots):
            size = _nearest(size, rest, slots, bounds)
        if size:
            pieces.append(Piece(slot, size))
            rest -= size
            if not rest:
                break
    return pieces


def _wanted(due: float, rest: int, bounds: _Bounds) -> int:
    """The allowed size nearest to what is due, regardless of what it leaves for later slots."""
    if due * 2 < bounds.least:
        # An odd lot that is all there is may be smaller than a regular piece.
        return rest if rest < bounds.least and due * 2 >= rest else 0
    size = max(int(due / bounds.lot + 0.5) * bounds.lot, bounds.least)
    if size >= rest and bounds.last_least <= rest <= bounds.last_most:
        return rest
    return size if size <= bounds.most else int(bounds.most)


def _nearest(size: int, rest: int, slots: int, bounds: _Bounds) -> int:
    """The allowed size nearest to `size` that leaves a rest which later slots can hold."""
    size = size or min(bounds.least, rest)
    after = max(rest - size, 0)
    count = min(max(bounds.pieces(after), 0), slots)
    choices = [0, rest, rest - bounds.lower(count + 1)]
    if count and isfinite(bounds.upper(count)):
        choices.append(rest - int(bounds.upper(count)))
    if bounds.least < rest:
        choices.append(bounds.least)
    return min(
        (choice for choice in choices if _allowed(choice, rest, slots, bounds)),
        key=lambda choice: abs(choice - size),
    )


def _allowed(size: int, rest: int, slots: int, bounds: _Bounds) -> bool:
    if size == rest:
        return bounds.last_least <= rest <= bounds.last_most
    return (size == 0 or bounds.least <= size <= bounds.most) and bounds.fits(rest - size, slots)


def _bounds(total: int, slots: int, lot: int, min_slice: int, max_slice: int | None) -> _Bounds:
    odd = total % lot
    least = _round_up(max(min_slice, lot), lot)
    most = inf if max_slice is None else max_slice // lot * lot
    last_most = inf if max_slice is None else (max_slice - odd) // lot * lot + odd
    whole = _round_up(max(min_slice, lot) - odd, lot) + odd
    smallest = _round_up(max(min_slice - odd, 0), lot) + odd if odd else whole
    # The odd lot rides on a whole one where it can, and stands alone only where it must.
    for last_least in (whole, smallest):
        bounds = _Bounds(lot, least, most, last_least, last_most)
        if bounds.fits(total, slots):
            return bounds
    raise ValueError(
        f"{total} shares cannot be cut into at most {slots} slices of {min_slice} to "
        f"{'any number of' if max_slice is None else max_slice} shares in lots of {lot}: "
        "allow more slices or wider bounds"
    )


def _cumulative(weights: Sequence[float]) -> list[float]:
    """The share of all weight up to and including each slot; the last is exactly 1."""
    if not weights:
        raise ValueError("weights: at least one is needed")
    largest = 0.0
    for index, weight in enumerate(weights):
        if not (isfinite(weight) and weight >= 0):
            raise ValueError(f"weights[{index}] = {weight}: must be finite and not negative")
        largest = max(largest, weight)
    if not largest:
        raise ValueError(f"weights: all {len(weights)} are zero")
    running = list(accumulate(weight / largest for weight in weights))
    whole = running[-1]
    return [value / whole for value in running]


def _check_sizes(total: int, lot: int, min_slice: int, max_slice: int | None) -> None:
    for name, value in (("total", total), ("lot", lot), ("min_slice", min_slice)):
        if value < 1:
            raise ValueError(f"{name} = {value}: must be at least 1")
    if max_slice is not None and max_slice < min_slice:
        raise ValueError(f"max_slice = {max_slice}: must be at least min_slice = {min_slice}")


def _round_up(value: int, lot: int) -> int:
    return -(-value // lot) * lot
