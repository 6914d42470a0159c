"""Where slices lie that follow the market's volume, and what they take of it."""

from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from execution.domain.algorithms.base import due_times
from execution.domain.algorithms.registry import ALGOS
from execution.domain.volume_grid import Grid, aimed_at, believed, volume_times
from execution.domain.volume_profile import U_SHAPE, Profile
from tests.unit.domain.days import CLOSE, FULL_DAY, HALF_DAY, OPEN, at, session, spec

MINUTE = timedelta(minutes=1)
USUAL = Grid(shortest=MINUTE, closing=10 * MINUTE, largest=0.05, least=100, most=20_000)
EVEN = Profile.even([1])
LATE = Profile.even([1] * 5 + [3])  # of six parts, the last has three eighths


def minutes(start, end, count, *, quantity=1_000_000, profile=EVEN, grid=USUAL, day=FULL_DAY):
    times = volume_times(
        start, end, count, quantity=quantity, session=day, profile=profile, grid=grid
    )
    return [(time - OPEN) / MINUTE for time in times]


def with_(**changes):
    given = {name: getattr(USUAL, name) for name in ("shortest", "closing", "largest", "least")}
    return Grid(**given | {"most": USUAL.most} | changes)


HALVES = [0, 2, 5, 7, 10, 12, 15, 17]  # of intervals of five minutes, in whole minutes
THIRDS = [0, 1, 3, 5, 6, 8, 10, 11, 13, 15, 16, 18]
WHOLE = {"largest": 0.999}  # a slice may be nearly all of the order


@pytest.mark.parametrize(
    ("start", "end", "count", "changes", "expected"),
    [
        pytest.param(0, 100, 20, {}, list(range(0, 100, 5)), id="none holds more than its share"),
        pytest.param(0, 20, 4, {}, list(range(20)), id="a quarter each"),
        pytest.param(0, 20, 4, {"largest": 0.15}, HALVES, id="nearly twice its share each"),
        pytest.param(0, 20, 4, {"shortest": MINUTE * 2}, HALVES, id="as short as allowed"),
        pytest.param(0, 20, 4, {"shortest": MINUTE * 9}, [0, 5, 10, 15], id="shorter as asked"),
        pytest.param(0, 20, 4, {"most": 19}, THIRDS, id="too many, so they are cut less"),
        pytest.param(0, 20, 4, {"most": 5}, [0, 5, 10, 15], id="too many, so none is cut"),
        pytest.param(370, 390, 4, WHOLE, [370, 375, *range(380, 390)], id="the close"),
        pytest.param(
            370, 390, 4, WHOLE | {"closing": MINUTE * 0}, [370, 375, 380, 385], id="no close"
        ),
        pytest.param(
            375,
            390,
            3,
            WHOLE | {"closing": MINUTE * 7},
            [375, 380, *range(383, 390)],
            id="the close begins within an interval",
        ),
        pytest.param(
            372.5, 390, 1, WHOLE, [372.5, *range(380, 390)], id="the close begins within the one"
        ),
    ],
)
def test_a_window_is_cut_where_volume_is_fast(start, end, count, changes, expected):
    assert minutes(at(start), at(end), count, grid=with_(**changes)) == expected


def test_only_the_fast_part_is_cut():
    found = minutes(OPEN, CLOSE, 78, profile=LATE, grid=with_(largest=0.02, closing=MINUTE * 0))
    assert found[:68] == [*range(0, 325, 5), 325, 327, 330]


@pytest.mark.parametrize(
    ("quantity", "slices"), [(399, 4), (799, 4), (800, 8), (1_999, 16), (2_000, 20)]
)
def test_a_small_order_is_not_cut_to_pieces(quantity, slices):
    """Of at least a hundred shares, where the cut is what makes them smaller."""
    assert len(minutes(OPEN, at(20), 4, quantity=quantity)) == slices


def test_a_small_order_is_cut_where_its_slices_are_large():
    auction = Profile.even([1] * 77 + [40])  # more than half of the order falls on its minutes
    found = minutes(at(210), CLOSE, 36, quantity=1_000, profile=auction)
    assert found == [*range(210, 385, 5), *range(385, 390)]


def test_a_half_day_closes_earlier():
    found = minutes(at(190), at(210), 4, day=HALF_DAY, grid=with_(**WHOLE))
    assert found == [190, 195, *range(200, 210)]


def test_a_market_that_never_closes_has_no_closing_minutes():
    day = session(always=True)
    assert len(minutes(at(370), at(390), 4, day=day, grid=with_(**WHOLE))) == 4


@given(
    first=st.floats(0, 380),
    length=st.floats(0.5, 390),
    count=st.integers(1, 100),
    quantity=st.integers(1, 10**8),
    largest=st.floats(0.001, 1),
    most=st.integers(1, 500),
    profile=st.sampled_from([U_SHAPE, EVEN, LATE]),
)
@settings(deadline=None, max_examples=80)
def test_the_slices_asked_for_stay_and_those_between_lie_inside(
    first, length, count, quantity, largest, most, profile
):
    start, end = at(first), min(at(first + length), CLOSE)
    grid = with_(largest=largest, most=most)
    asked = {"quantity": quantity, "session": FULL_DAY, "profile": profile}
    times = volume_times(start, end, count, grid=grid, **asked)
    coarse = volume_times(start, end, count, grid=with_(largest=1.0, most=1), **asked)
    assert set(coarse) <= set(times)
    assert len(coarse) == count
    assert all(earlier < later for earlier, later in pairwise((*times, end)))
    assert len(times) <= max(most, count)


@pytest.mark.parametrize("algorithm", ["VWAP", "POV"])
def test_an_algorithm_that_follows_the_volume_takes_the_grid(algorithm):
    without = spec(1_000_000, slices=78)
    plan = ALGOS[algorithm].plan(spec(1_000_000, slices=78, grid=with_(largest=0.02)))
    assert sum(part.quantity for part in plan) == 1_000_000
    assert len(plan) > len(ALGOS[algorithm].plan(without)) == 78
    if algorithm == "VWAP":
        assert [part.due_at for part in plan[-10:]] == [at(minute) for minute in range(380, 390)]


@pytest.mark.parametrize(
    ("gap", "aimed"), [(5, 3), (1, 1), (0.5, 0.5), (2, 1.5)], ids=lambda value: f"{value} min"
)
def test_a_slice_aims_at_the_middle_of_what_follows_its_first_minute(gap, aimed):
    assert aimed_at(OPEN, at(gap)) == at(aimed)


@pytest.mark.parametrize(
    ("told", "believes"),
    [
        pytest.param([], 0, id="nothing yet"),
        pytest.param([3, 4, 5], 3, id="all told"),
        pytest.param([3, 4, 0], 2, id="the last minute may be under way"),
        pytest.param([3, 0, 0, 0], 3, id="a short silence"),
        pytest.param([3] + [0] * 5, 5, id="five minutes"),
        pytest.param([3] + [0] * 6, 1, id="longer than any today: the feed lags"),
        pytest.param([3] + [0] * 7 + [2] + [0] * 6, 14, id="the symbol has been silent as long"),
        pytest.param([3] + [0] * 7 + [2] + [0] * 8, 9, id="and never longer"),
        pytest.param([0] * 4, 3, id="no trade yet"),
        pytest.param([0] * 20, 0, id="no trade for too long"),
    ],
)
def test_a_feed_that_lags_is_not_a_market_that_is_silent(told, believes):
    assert list(believed(told)) == told[:believes]


@pytest.mark.parametrize(("least", "cut"), [(3_000, False), (500, True)])
def test_slices_are_not_cut_below_the_smallest_that_the_order_wants(least, cut):
    times = due_times(spec(60_000, slices=60, grid=with_(largest=0.02), min_slice=least))
    assert (len(times) > 60) == cut
