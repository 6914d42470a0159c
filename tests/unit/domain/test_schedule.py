from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from execution.domain.slice_times import even_times, jittered
from tests.unit.domain.days import CLOSE, OPEN, at

counts = st.integers(1, 300)
spreads = st.floats(0, 7_200).map(lambda seconds: timedelta(seconds=seconds))


def test_even_times_start_at_the_start_and_leave_the_last_interval_before_the_end():
    assert even_times(OPEN, at(60), 4) == (OPEN, at(15), at(30), at(45))


@pytest.mark.parametrize(
    ("start", "end", "count", "message"),
    [
        (OPEN, OPEN, 1, "end = .* must be later"),
        (CLOSE, OPEN, 1, "end = .* must be later"),
        (OPEN, CLOSE, 0, "slices = 0"),
        (OPEN, at(1 / 60), 1_001, "slices = 1001: .* at most 1000"),
        (datetime(2024, 6, 12, 9, 30), CLOSE, 1, "start = .* needs a time zone"),  # noqa: DTZ001
        (OPEN, datetime(2024, 6, 12, 16, 0), 1, "end = .* needs a time zone"),  # noqa: DTZ001
    ],
)
def test_refuses_a_window_that_is_none(start, end, count, message):
    with pytest.raises(ValueError, match=message):
        even_times(start, end, count)


@given(minutes=st.floats(0.01, 390), count=counts, spread=spreads, seed=st.integers(0, 2**63 - 1))
@settings(deadline=None)
def test_jitter_keeps_the_order_and_the_window(minutes, count, spread, seed):
    times = even_times(OPEN, at(minutes), min(count, max(int(minutes * 60_000), 1)))
    moved = jittered(times, at(minutes), spread=spread, seed=seed)
    assert len(moved) == len(times)
    assert moved[0] >= OPEN
    assert moved[-1] < at(minutes)
    assert all(earlier < later for earlier, later in pairwise(moved))
    assert all(abs(new - old) <= spread for new, old in zip(moved, times, strict=True))


def test_the_same_seed_gives_the_same_times_and_another_seed_others():
    times = even_times(OPEN, CLOSE, 20)
    once, again, other = (
        jittered(times, CLOSE, spread=timedelta(seconds=30), seed=seed) for seed in (7, 7, 8)
    )
    assert once == again != other


def test_jitter_moves_both_ways_and_without_spread_not_at_all():
    times = even_times(OPEN, CLOSE, 20)
    moved = jittered(times, CLOSE, spread=timedelta(seconds=30), seed=1)
    shifts = [new - old for new, old in zip(moved, times, strict=True)]
    assert min(shifts) < timedelta(seconds=-10)
    assert max(shifts) > timedelta(seconds=10)
    assert jittered(times, CLOSE, spread=timedelta(0), seed=1) == times


def test_refuses_a_negative_jitter():
    with pytest.raises(ValueError, match="jitter = -1 s"):
        jittered([OPEN], CLOSE, spread=timedelta(seconds=-1), seed=1)
