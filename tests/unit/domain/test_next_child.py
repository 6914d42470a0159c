from itertools import cycle
from math import ceil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from execution.domain.algorithms.base import PlannedSlice
from execution.domain.algorithms.registry import ALGOS
from execution.domain.child_sizing import ChildReason, next_child
from tests.unit.domain.days import spec

ON, CATCHING, AHEAD, LAST, NOTHING, TOO_SMALL, GOOD = (
    ChildReason.ON_CURVE,
    ChildReason.CATCHING_UP,
    ChildReason.AHEAD_OF_CURVE,
    ChildReason.LAST_TAKES_REST,
    ChildReason.NOTHING_LEFT,
    ChildReason.BELOW_MIN_SLICE,
    ChildReason.PRICE_IS_GOOD,
)


@pytest.mark.parametrize(
    ("filled", "working", "cumulative", "left", "options", "expected"),
    [
        # Q = 1,000 in ten slices of 100.
        (0, 0, 100, 10, {}, (100, ON)),
        (200, 0, 300, 8, {}, (100, ON)),
        (150, 50, 300, 8, {}, (100, ON)),  # working shares count as done
        (0, 0, 300, 8, {}, (125, CATCHING)),  # 200 missed over 8 slices
        (190, 0, 300, 8, {}, (102, CATCHING)),
        (0, 0, 300, 8, {"max_slice": 110}, (110, CATCHING)),
        (130, 0, 300, 8, {"lot": 100}, (200, CATCHING)),
        (250, 0, 300, 8, {}, (50, AHEAD)),
        (350, 0, 300, 8, {}, (0, AHEAD)),
        (220, 0, 300, 8, {"lot": 100}, (0, AHEAD)),
        (900, 0, 1_000, 1, {}, (100, ON)),
        (700, 0, 1_000, 1, {}, (300, CATCHING)),
        (950, 0, 1_000, 1, {}, (50, AHEAD)),
        (700, 0, 1_000, 1, {"max_slice": 150}, (150, CATCHING)),
        (700, 0, 1_000, 1, {"max_slice": 150, "lot": 100}, (100, CATCHING)),
        (0, 0, 300, 8, {"min_slice": 126}, (0, TOO_SMALL)),  # caught up by a later one
        (0, 0, 300, 8, {"min_slice": 125}, (125, CATCHING)),
        (780, 0, 300, 8, {"min_slice": 50}, (0, AHEAD)),
        (850, 0, 1_000, 2, {"min_slice": 25}, (125, CATCHING)),
        (850, 0, 1_000, 2, {"min_slice": 26}, (150, CATCHING)),  # 25 would be dust
        (850, 0, 1_000, 2, {"min_slice": 40, "max_slice": 125}, (125, CATCHING)),
        (980, 0, 1_000, 1, {"min_slice": 50}, (20, AHEAD)),  # the last takes what there is
        (300, 0, 300, 8, {"good_price": True}, (700, GOOD)),
        (300, 200, 300, 8, {"good_price": True}, (500, GOOD)),
        (300, 0, 300, 8, {"good_price": True, "max_slice": 250, "lot": 100}, (200, GOOD)),
        (1_000, 0, 300, 8, {"good_price": True}, (0, NOTHING)),
        # The last takes all that is left, also where lots would leave a rest.
        (915, 0, 1_000, 1, {"lot": 10}, (85, LAST)),
        (1_000, 0, 1_000, 1, {}, (0, NOTHING)),
        (600, 400, 700, 4, {}, (0, NOTHING)),
        (600, 450, 700, 4, {}, (0, NOTHING)),  # overfill in sight: never more
    ],
)
def test_size_and_reason(filled, working, cumulative, left, options, expected):
    child = next_child(
        quantity=1_000,
        filled=filled,
        working=working,
        planned=100,
        cumulative=cumulative,
        slices_left=left,
        **options,
    )
    assert child == expected


def test_refuses_to_size_a_slice_that_does_not_count_itself():
    with pytest.raises(ValueError, match="slices_left = 0"):
        next_child(quantity=1, filled=0, working=0, planned=1, cumulative=1, slices_left=0)


def plan(quantity: int, slices: int, lot: int, shape: bool) -> tuple[PlannedSlice, ...]:
    return ALGOS["VWAP" if shape else "TWAP"].plan(spec(quantity, slices, lot=lot))


orders = st.tuples(
    st.integers(1, 100_000), st.integers(1, 40), st.sampled_from([1, 10, 100]), st.booleans()
)


@given(order=orders)
@settings(deadline=None)
def test_perfect_fills_reproduce_the_plan(order):
    parts, done = plan(*order), 0
    for part in parts:
        child = size(part, parts, order[0], done, 0, lot=order[2])
        assert child == (part.quantity, ON)
        done += child.quantity
    assert done == order[0]


class Book:
    """What the parent's children came to: executed shares, and rests still at the broker."""

    def __init__(self) -> None:
        self.filled = 0
        self.resting: list[int] = []

    @property
    def working(self) -> int:
        return sum(self.resting)

    def send(self, size: int, outcome: str, part: float) -> None:
        now = {"fill": size, "miss": 0}.get(outcome, int(size * part))
        self.filled += now
        if outcome == "rest":  # neither filled nor confirmed as cancelled
            self.resting.append(size - now)

    def settle(self, filled: bool) -> None:
        """The oldest rest fills late, or its cancel is confirmed."""
        if self.resting:
            rest = self.resting.pop(0)
            self.filled += rest if filled else 0


# What becomes of each child in turn, over and over: its fate, the part that fills, and whether the
# oldest rest at the broker fills (True), is cancelled (False) or stays (None) before the next one.
fate = st.tuples(
    st.sampled_from(["fill", "partial", "miss", "rest"]),
    st.floats(0, 1),
    st.none() | st.booleans(),
)
fates = st.lists(fate, min_size=1, max_size=8)


@given(order=orders, outcomes=fates)
@settings(deadline=None, max_examples=300)
def test_no_history_overfills_or_bursts(order, outcomes):
    quantity, _, lot, _ = order
    parts, book = plan(*order), Book()
    for part, (outcome, share, settles) in zip(parts, cycle(outcomes), strict=False):
        if settles is not None:
            book.settle(filled=settles)
        left = len(parts) - part.sequence
        missed = max(part.cumulative_quantity - part.quantity - book.filled - book.working, 0)
        child = size(part, parts, quantity, book.filled, book.working, lot=lot)
        assert 0 <= child.quantity <= quantity - book.filled - book.working
        if left > 1:
            assert child.quantity <= part.quantity + ceil(ceil(missed / left) / lot) * lot
        book.send(child.quantity, outcome, share)
        assert book.filled + book.working <= quantity


@given(order=orders, outcomes=fates, calm=st.integers(1, 10))
@settings(deadline=None)
def test_what_was_missed_is_made_good_when_later_slices_fill(order, outcomes, calm):
    parts, book = plan(*order), Book()
    for part, (outcome, share, _) in zip(parts, cycle(outcomes), strict=False):
        good = len(parts) - part.sequence <= calm
        child = size(part, parts, order[0], book.filled, 0, lot=order[2])
        book.send(child.quantity, "fill" if good else outcome.replace("rest", "partial"), share)
    assert book.filled == order[0]


@given(outage=st.integers(1, 39), quantity=st.integers(4_000, 100_000))
@settings(deadline=None)
def test_after_an_outage_the_missed_part_is_spread_evenly(outage, quantity):
    parts, done, sent = plan(quantity, 40, 1, shape=False), 0, []
    for part in parts[outage:]:
        child = size(part, parts, quantity, done, 0, lot=1)
        sent.append(child.quantity)
        done += child.quantity
    assert done == quantity
    assert max(sent) - min(sent) <= 3
    assert max(sent) <= ceil(quantity / (40 - outage)) + 2


def size(part, parts, quantity, filled, working, *, lot):
    return next_child(
        quantity=quantity,
        filled=filled,
        working=working,
        planned=part.quantity,
        cumulative=part.cumulative_quantity,
        slices_left=len(parts) - part.sequence,
        lot=lot,
    )
