from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from execution.domain.slice_times import even_times
from execution.domain.volume_profile import U_SHAPE, Profile, learn, pooled
from tests.unit.domain.days import CLOSE, FULL_DAY, HALF_DAY, OPEN, at, session

minute_volumes = st.lists(st.integers(0, 10_000), min_size=1, max_size=60).filter(any)


@pytest.mark.parametrize(
    ("start", "end", "share"),
    [
        (0, 390, 1.0),
        (0, 30, 0.15),
        (30, 60, 0.12),
        (60, 330, 0.50),
        (330, 360, 0.12),
        (360, 390, 0.11),
        (0, 15, 0.075),
        (45, 195, 0.06 + 0.25),  # across an edge
        (-60, 15, 0.075),  # nothing is expected before the open
        (375, 500, 0.055),  # nor after the close
        (-60, -30, 0.0),
        (400, 500, 0.0),
    ],
)
def test_default_shape_in_minutes_after_the_open(start, end, share):
    assert U_SHAPE.share_between(FULL_DAY, at(start), at(end)) == pytest.approx(share)


def test_half_day_has_the_same_shape_compressed():
    assert HALF_DAY.close == at(210)
    first = timedelta(minutes=30) * 210 / 390
    assert U_SHAPE.share_between(HALF_DAY, OPEN, OPEN + first) == pytest.approx(0.15)
    assert U_SHAPE.share_between(HALF_DAY, OPEN, HALF_DAY.close) == pytest.approx(1)


def test_market_that_never_closes_repeats_the_shape():
    round_the_clock = session(always=True)
    assert U_SHAPE.share_between(round_the_clock, at(360), at(420)) == pytest.approx(0.11 + 0.15)
    assert U_SHAPE.share_between(round_the_clock, at(-390), at(780)) == pytest.approx(3)


@given(volumes=minute_volumes, count=st.integers(1, 50), window=st.floats(1, 390))
@settings(deadline=None)
def test_weights_add_up_to_the_share_of_the_window(volumes, count, window):
    profile, end = Profile.even(volumes), at(window)
    weights = profile.weights(FULL_DAY, even_times(OPEN, end, count), end)
    assert len(weights) == count
    assert min(weights) >= 0
    assert sum(weights) == pytest.approx(profile.share_between(FULL_DAY, OPEN, end))


@pytest.mark.parametrize(
    ("edges", "shares", "message"),
    [
        ((0.0, 1.0), (0.5, 0.5), "2 shares need 3 edges"),
        ((0.0,), (), "0 shares need 1 edges"),
        ((0.1, 1.0), (1.0,), "must reach from 0 to 1"),
        ((0.0, 0.6, 0.6, 1.0), (0.2, 0.2, 0.6), "must increase"),
        ((0.0, 0.5, 1.0), (-0.5, 1.5), "not negative"),
        ((0.0, 0.5, 1.0), (float("nan"), 1.0), "finite"),
        ((0.0, 1.0), (0.9,), "add up to 0.9"),
    ],
)
def test_refuses_a_profile_that_is_none(edges, shares, message):
    with pytest.raises(ValueError, match=message):
        Profile(edges, shares)


def test_refuses_volumes_without_volume():
    with pytest.raises(ValueError, match="add up to 0"):
        Profile.even([0, 0])


def test_learning_counts_every_session_the_same_however_busy():
    quiet, busy = [3, 1], [100, 300]
    assert learn([quiet] * 3 + [busy] * 3).shares == pytest.approx((0.5, 0.5))


def test_learning_leaves_out_half_days_and_sessions_without_volume():
    assert learn([[1, 1, 2]] * 5 + [[9, 1], [0, 0, 0]]).shares == pytest.approx((0.25, 0.25, 0.5))


@pytest.mark.parametrize("sessions", [[], [[1, 1]] * 4, [[1, 1]] * 4 + [[0, 0], [1]]])
def test_learning_needs_five_sessions(sessions):
    with pytest.raises(ValueError, match=f"of {len(sessions)} are full .* at least 5"):
        learn(sessions)


def test_a_prior_counts_as_ten_sessions_and_may_have_other_bins():
    prior = Profile.even([1.0])  # flat
    learnt = learn([[0, 0, 0, 4]] * 10, prior=prior)
    assert learnt.shares == pytest.approx((0.125, 0.125, 0.125, 0.625))


def test_pooling_takes_the_mean_of_equal_bins_only():
    mean = pooled([Profile.even([1, 3]), Profile.even([3, 1])])
    assert mean.shares == pytest.approx((0.5, 0.5))
    with pytest.raises(ValueError, match="equal edges"):
        pooled([mean, U_SHAPE])
    with pytest.raises(ValueError, match="at least one"):
        pooled([])


def test_profile_of_one_minute_bins_resolves_the_last_five_minutes():
    minutes = [1] * 385 + [7] * 5
    profile = Profile.even(minutes)
    assert profile.share_between(FULL_DAY, at(385), CLOSE) == pytest.approx(35 / 420)
    longer = replace(FULL_DAY, close=at(780))
    assert profile.share_between(longer, at(770), at(780)) == pytest.approx(35 / 420)
