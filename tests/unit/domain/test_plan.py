from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from execution.domain.algorithms.base import PlannedSlice
from execution.domain.algorithms.registry import ALGOS
from execution.domain.child_sizing import retarget
from execution.domain.volume_profile import Profile
from tests.unit.domain.days import CLOSE, HALF_DAY, OPEN, at, session, spec


def twap(quantity, slices, **more):
    return ALGOS["TWAP"].plan(spec(quantity, slices, **more))


def vwap(quantity, slices, **more):
    return ALGOS["VWAP"].plan(spec(quantity, slices, **more))


def single(quantity, start, end):
    return ALGOS["MARKET"].plan(spec(quantity, start=start, end=end))


def test_single_slice_covers_the_window():
    assert single(33, OPEN, at(1)) == (PlannedSlice(0, OPEN, at(1), 33, 33),)


def test_twap_has_equal_slices_at_equal_times():
    assert twap(1_000, 4, end=at(60)) == (
        PlannedSlice(0, at(0), at(12.75), 250, 250),
        PlannedSlice(1, at(15), at(27.75), 250, 500),
        PlannedSlice(2, at(30), at(42.75), 250, 750),
        PlannedSlice(3, at(45), at(60), 250, 1_000),
    )


def test_twap_of_a_small_order_has_fewer_slices_over_the_same_window():
    assert [(part.due_at, part.quantity) for part in twap(3, 10, end=at(60))] == [
        (at(0), 1),
        (at(20), 1),
        (at(40), 1),
    ]


def test_vwap_follows_the_shape():
    quantities = [part.quantity for part in vwap(10_000, 13)]
    assert quantities[:2] + quantities[-2:] == [1_500, 1_200, 1_200, 1_100]
    assert set(quantities[2:-2]) == {555, 556}


def test_vwap_of_a_part_of_the_day_uses_that_part_of_the_shape():
    quantities = [part.quantity for part in vwap(2_300, 2, start=at(330), end=CLOSE)]
    assert quantities == [1_200, 1_100]


def test_vwap_of_a_half_day_uses_the_whole_shape():
    quantities = [part.quantity for part in vwap(10_000, 13, end=HALF_DAY.close, session=HALF_DAY)]
    assert quantities == [part.quantity for part in vwap(10_000, 13)]


def test_vwap_in_a_market_that_never_closes_may_cross_its_day():
    parts = vwap(2_600, 2, start=at(360), end=at(420), session=session(always=True))
    assert [part.quantity for part in parts] == [1_100, 1_500]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: twap(0, 4), "total = 0"),
        (lambda: twap(-1, 4), "total = -1"),
        (lambda: twap(10, 0), "slices = 0"),
        (lambda: twap(10, 2, end=OPEN), "end = .* must be later"),
        (lambda: twap(10, 2, jitter=timedelta(seconds=-1)), "jitter = -1 s"),
        (lambda: twap(100, 2, max_slice=10), "100 shares cannot be cut into at most 2 slices"),
        (lambda: vwap(10, 0), "slices = 0"),
        (lambda: vwap(10, 4, start=CLOSE, end=at(450)), "no volume is expected there"),
        (lambda: single(0, OPEN, CLOSE), "total = 0"),
        (lambda: single(1, CLOSE, OPEN), "end = .* must be later"),
    ],
)
def test_refuses_what_cannot_be_planned(call, message):
    with pytest.raises(ValueError, match=message):
        call()


shapes = st.lists(st.integers(0, 100), min_size=1, max_size=40).filter(all)
plans = st.fixed_dictionaries(
    {
        "quantity": st.integers(1, 100_000),
        "slices": st.integers(1, 80),
        "lot": st.sampled_from([1, 10, 100]),
        "seed": st.integers(0, 2**63 - 1),
        "jitter": st.floats(0, 600).map(lambda seconds: timedelta(seconds=seconds)),
    }
)
windows = st.tuples(st.floats(0, 200), st.floats(1, 190))


@given(wish=plans, window=windows, shape=st.none() | shapes)
@settings(deadline=None, max_examples=300)
def test_every_plan_is_exact_and_inside_its_window(wish, window, shape):
    start, end = at(window[0]), at(window[0] + window[1])

    def make():
        if shape is None:
            return twap(start=start, end=end, **wish)
        return vwap(start=start, end=end, profile=Profile.even(shape), **wish)

    parts = make()
    assert parts == make()  # the same seed, the same plan
    assert 1 <= len(parts) <= wish["slices"]
    assert [part.sequence for part in parts] == list(range(len(parts)))
    assert sum(part.quantity for part in parts) == wish["quantity"]
    assert parts[-1].cumulative_quantity == wish["quantity"]
    assert all(part.quantity > 0 for part in parts)
    assert all(part.quantity % wish["lot"] == 0 for part in parts[:-1])
    assert start <= parts[0].due_at
    assert parts[-1].end_at == end
    for part in parts:
        assert part.due_at < part.end_at
    for part, following in pairwise(parts):
        assert part.end_at < following.due_at
        assert following.cumulative_quantity == part.cumulative_quantity + following.quantity


@pytest.mark.parametrize(
    ("share", "before", "lot", "expected"),
    [
        (0.25, 100, 1, (150, 250)),
        (0.25, 250, 1, (0, 250)),
        (0.25, 400, 1, (0, 400)),  # the curve came down: nothing is taken back
        (0.2504, 0, 1, (250, 250)),
        (0.26, 0, 100, (300, 300)),
        (1, 900, 1, (100, 1_000)),
        (1, 1_000, 1, (0, 1_000)),
    ],
)
def test_retarget(share, before, lot, expected):
    assert retarget(quantity=1_000, share=share, before=before, lot=lot) == expected


def test_retarget_to_the_end_takes_the_odd_lot():
    assert retarget(quantity=1_050, share=1, before=1_000, lot=100) == (50, 1_050)


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_retarget_refuses_what_is_not_a_share(share):
    with pytest.raises(ValueError, match="share = "):
        retarget(quantity=1_000, share=share, before=0)
