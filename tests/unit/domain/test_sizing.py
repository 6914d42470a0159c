from functools import cache

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from execution.domain.lots import Piece, most_pieces, split

weights = st.lists(st.floats(0, 1e9), min_size=1, max_size=12).filter(any)


def sizes(pieces: tuple[Piece, ...]) -> list[int]:
    return [piece.size for piece in pieces]


@pytest.mark.parametrize(
    ("total", "shares", "options", "expected"),
    [
        (1_000, [1] * 4, {}, [(0, 250), (1, 250), (2, 250), (3, 250)]),
        # What does not divide is spread, not heaped on one slice.
        (10, [1] * 4, {}, [(0, 3), (1, 2), (2, 3), (3, 2)]),
        (100, [3, 1, 0, 6], {}, [(0, 30), (1, 10), (3, 60)]),
        # A small order makes fewer slices, each in the middle of those that it serves.
        (3, [1] * 9, {}, [(1, 1), (4, 1), (7, 1)]),
        (1, [1, 1], {}, [(0, 1)]),
        (1_000, [1] * 3, {"lot": 100}, [(0, 300), (1, 400), (2, 300)]),
        # The odd lot goes last, on top of a whole one, and alone only where it is all there is.
        (250, [1, 1], {"lot": 100}, [(0, 100), (1, 150)]),
        (201, [1, 1, 1], {"lot": 100}, [(0, 100), (2, 101)]),
        (50, [1] * 3, {"lot": 100}, [(1, 50)]),
        (250, [1, 1, 1], {"lot": 100, "max_slice": 100}, [(0, 100), (1, 100), (2, 50)]),
        # No dust: what is too small for a slice joins its neighbour.
        (100, [98, 1, 1], {"min_slice": 10}, [(0, 100)]),
        (100, [60, 30, 10], {"min_slice": 25}, [(0, 60), (1, 40)]),
        # What is too large moves to the slices next to it.
        (100, [0, 0, 1], {"max_slice": 40}, [(0, 20), (1, 40), (2, 40)]),
        (100, [1, 0, 0], {"max_slice": 40}, [(0, 40), (1, 40), (2, 20)]),
    ],
)
def test_cuts(total, shares, options, expected):
    assert split(total, shares, **options) == tuple(Piece(*piece) for piece in expected)


@pytest.mark.parametrize(
    ("total", "shares", "options", "message"),
    [
        (0, [1], {}, "total = 0"),
        (-5, [1], {}, "total = -5"),
        (10, [], {}, "at least one"),
        (10, [0, 0], {}, "all 2 are zero"),
        (10, [1, -1], {}, r"weights\[1\] = -1"),
        (10, [1, float("nan")], {}, r"weights\[1\] = nan"),
        (10, [float("inf")], {}, r"weights\[0\] = inf"),
        (10, [1], {"lot": 0}, "lot = 0"),
        (10, [1], {"min_slice": 0}, "min_slice = 0"),
        (10, [1], {"min_slice": 5, "max_slice": 4}, "max_slice = 4"),
        (10, [1], {"min_slice": 11}, "10 shares .* at most 1 slices of 11"),
        (100, [1, 1], {"max_slice": 49}, "100 shares .* at most 2 slices of 1 to 49"),
        (100, [1, 1], {"lot": 100, "max_slice": 99}, "in lots of 100"),
    ],
)
def test_refuses_what_cannot_be_cut(total, shares, options, message):
    with pytest.raises(ValueError, match=message):
        split(total, shares, **options)


@given(
    total=st.integers(1, 400),
    shares=weights,
    lot=st.sampled_from([1, 2, 5, 10, 100]),
    min_slice=st.integers(1, 60),
    extra=st.none() | st.integers(0, 150),
)
@settings(deadline=None, max_examples=500)
def test_every_cut_keeps_every_bound(total, shares, lot, min_slice, extra):
    max_slice = None if extra is None else min_slice + extra
    largest = total if max_slice is None else max_slice
    possible = can_be_cut(total, len(shares), lot, min_slice, largest)
    try:
        pieces = split(total, shares, lot=lot, min_slice=min_slice, max_slice=max_slice)
    except ValueError:
        assert not possible
        return
    assert possible
    assert sum(sizes(pieces)) == total
    assert all(min_slice <= size <= largest for size in sizes(pieces))
    assert all(size % lot == 0 for size in sizes(pieces)[:-1])
    slots = [piece.slot for piece in pieces]
    assert slots == sorted(set(slots))
    assert slots[-1] < len(shares)


def can_be_cut(total: int, slots: int, lot: int, least: int, most: int) -> bool:
    """By trying everything."""

    @cache
    def rest_can(rest: int, left: int) -> bool:
        if not left:
            return False
        if least <= rest <= most:
            return True
        first = -(-least // lot) * lot
        return any(
            rest_can(rest - size, left - 1) for size in range(first, min(most, rest - 1) + 1, lot)
        )

    return rest_can(total, slots)


@given(total=st.integers(1, 10**12), shares=weights)
@settings(deadline=None)
def test_running_sum_stays_within_half_a_share_of_the_exact_curve(total, shares):
    assume(sum(shares) / max(shares) > 0)
    by_slot = {piece.slot: piece.size for piece in split(total, shares)}
    done, weight = 0, 0.0
    for slot, share in enumerate(shares):
        done += by_slot.get(slot, 0)
        weight += share / max(shares)
        exact = total * weight / sum(value / max(shares) for value in shares)
        assert abs(done - exact) <= 0.5 + total * 1e-14


@given(total=st.integers(1, 10**9), count=st.integers(1, 500))
@settings(deadline=None)
def test_equal_weights_differ_by_one_share_at_most(total, count):
    pieces = sizes(split(total, [1.0] * count))
    assert len(pieces) == min(total, count)
    assert max(pieces) - min(pieces) <= 1


@given(total=st.integers(1, 10**6), shares=weights)
@settings(deadline=None)
def test_a_slot_without_weight_gets_no_shares(total, shares):
    assert all(shares[piece.slot] > 0 for piece in split(total, shares))


@pytest.mark.parametrize(
    ("total", "lot", "min_slice", "expected"),
    [(1_000, 1, 1, 1_000), (1_000, 100, 1, 10), (1_000, 100, 150, 5), (7, 100, 1, 1)],
)
def test_most_pieces(total, lot, min_slice, expected):
    assert most_pieces(total, lot=lot, min_slice=min_slice) == expected
