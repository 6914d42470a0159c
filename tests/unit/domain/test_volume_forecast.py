from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from execution.domain.volume_forecast import dynamic_target, expected_volume
from execution.domain.volume_profile import U_SHAPE, Profile
from tests.unit.domain.days import CLOSE, FULL_DAY, HALF_DAY, OPEN, at, session

FLAT = Profile.even([1.0])
DAILY = 39_000.0  # 100 a minute


def target(until, minutes, *, start=OPEN, end=CLOSE, profile=FLAT, day=FULL_DAY, **known):
    return dynamic_target(
        profile,
        day,
        start=start,
        end=end,
        until=until,
        minutes=minutes,
        minutes_from=day.open,
        **known,
    )


@pytest.mark.parametrize(
    ("volumes", "expected"),
    [
        ([1_000] * 20, 1_000),
        ([1_000], 1_000),
        ([0, 1_000, 0], 1_000),
        # The last session counts for itself, in the last five and in all.
        ([1_000] * 19 + [2_000], 1_000 * 2**0.3 * 1.2**0.2 * 2**0.025),
    ],
)
def test_expected_volume(volumes, expected):
    assert expected_volume(volumes) == pytest.approx(expected)


@pytest.mark.parametrize("volumes", [[], [0, 0]])
def test_expected_volume_needs_a_session_that_traded(volumes):
    with pytest.raises(ValueError, match=f"none of {len(volumes)} sessions"):
        expected_volume(volumes)


@pytest.mark.parametrize("known", [{}, {"daily_volume": DAILY}, {"today": DAILY}])
def test_a_day_at_its_usual_pace_is_followed_evenly(known):
    for minute in (0, 39, 195, 351):
        aim = target(at(minute + 39), [100] * minute, **known)
        assert aim == pytest.approx((minute + 39) / 390, abs=0.03)


def test_without_any_volume_the_profile_decides():
    assert target(at(30), [], profile=U_SHAPE) == pytest.approx(0.15)
    assert target(at(30), [0] * 20, profile=U_SHAPE) == pytest.approx(0.15)


def test_a_busy_morning_brings_the_order_ahead_and_a_quiet_one_behind():
    busy, usual, quiet = (
        target(at(125), [volume] * 120, daily_volume=DAILY) for volume in (300, 100, 30)
    )
    assert busy > usual + 0.05
    assert quiet < usual - 0.05


def test_a_burst_in_the_last_minutes_raises_the_next_slice():
    calm = [100] * 200
    burst = [100] * 170 + [400] * 30
    before = 29_000 / DAILY  # so much is done by then, if the burst is followed
    assert target(at(205), burst, daily_volume=DAILY) - before < 0.05
    near = {"start": at(200), "end": at(320), "daily_volume": DAILY}
    assert target(at(260), burst, **near) > target(at(260), calm, **near)


def test_the_close_is_forecast_to_vary_less_than_the_day():
    """On a busy day the close takes a smaller part, so more is done before it."""
    shape = Profile.even([1.0] * 385 + [20.0] * 5)
    quiet, busy = (
        target(
            at(385),
            [volume] * 300,
            profile=shape,
            start=at(300),
            daily_volume=485 * 100.0,
        )
        for volume in (40, 250)
    )
    assert quiet < busy


@pytest.mark.parametrize("wrong", [DAILY * 50, DAILY / 50])
def test_an_expectation_from_another_tape_is_dropped(wrong):
    """One venue's tape against the volume of all: the order would be far behind, or all at once."""
    aim = target(at(200), [100] * 195, daily_volume=wrong)
    assert aim == pytest.approx(200 / 390)


def test_volume_where_none_was_expected_does_not_rush_the_order():
    late = Profile.even([0.0] * 100 + [1.0] * 290)
    assert target(at(60), [5_000] * 50, profile=late) == 0


def test_the_tape_before_the_open_says_nothing_about_the_pace():
    early = dynamic_target(
        FLAT,
        FULL_DAY,
        start=OPEN,
        end=CLOSE,
        until=at(105),
        minutes=[10_000] * 60 + [100] * 100,
        minutes_from=at(-60),
        daily_volume=DAILY,
    )
    assert early == pytest.approx(target(at(105), [100] * 100, daily_volume=DAILY))


@pytest.mark.parametrize("known", [{"daily_volume": 0}, {"today": -1.0}, {"today": float("nan")}])
def test_refuses_an_expectation_that_is_not_positive(known):
    with pytest.raises(ValueError, match=f"{next(iter(known))} = .* must be positive"):
        target(at(30), [], **known)


@given(
    minutes=st.lists(st.integers(0, 10**6), max_size=390),
    bounds=st.tuples(st.integers(0, 389), st.integers(1, 390)).filter(
        lambda pair: pair[0] < pair[1]
    ),
    daily=st.none() | st.floats(1, 1e9),
    today=st.none() | st.floats(1, 1e9),
    day=st.sampled_from([FULL_DAY, HALF_DAY, session(always=True)]),
    shape=st.lists(st.integers(0, 100), min_size=1, max_size=30).filter(any),
)
@settings(deadline=None)
def test_a_target_is_a_rising_share_of_the_order(minutes, bounds, daily, today, day, shape):
    start, end = at(bounds[0]), at(bounds[1])
    aims = [
        target(
            start + (end - start) * k / 6,
            minutes,
            start=start,
            end=end,
            day=day,
            profile=Profile.even(shape),
            daily_volume=daily,
            today=today,
        )
        for k in range(7)
    ]
    assert all(0 <= aim <= 1 for aim in aims)
    assert aims[-1] == 1
    assert all(later >= earlier - 1e-12 for earlier, later in pairwise(aims))
