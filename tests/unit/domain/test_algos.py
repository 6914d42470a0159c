"""What every algorithm promises, whatever it is asked."""

from dataclasses import replace
from datetime import timedelta
from itertools import cycle, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from execution.domain.algorithms.base import Spec
from execution.domain.algorithms.implementation_shortfall import usual_impact
from execution.domain.algorithms.registry import ALGOS
from execution.domain.child_sizing import next_child
from execution.domain.signal import parse
from execution.domain.volume_profile import U_SHAPE, Profile
from tests.unit.domain.days import FULL_DAY, HALF_DAY, at, session, spec

OVER_TIME = [name for name, algorithm in ALGOS.items() if algorithm.over_time]

profiles = st.lists(st.integers(1, 100), min_size=1, max_size=40).map(Profile.even)
specs = st.builds(
    Spec,
    quantity=st.integers(1, 1_000_000),
    start=st.floats(0, 100).map(at),
    end=st.floats(101, 210).map(at),
    slices=st.integers(1, 100),
    session=st.sampled_from([FULL_DAY, HALF_DAY, session(always=True)]),
    profile=st.just(U_SHAPE) | profiles,
    seed=st.integers(0, 2**63 - 1),
    jitter=st.floats(0, 120).map(lambda seconds: timedelta(seconds=seconds)),
    participation=st.floats(0.001, 1),
    session_volume=st.none() | st.floats(1, 1e9),
    average_daily_volume=st.none() | st.floats(1, 1e9),
    daily_volatility=st.none() | st.floats(0.001, 0.2),
    price=st.none() | st.floats(0.01, 10_000),
    spread_bps=st.floats(0, 500),
    risk_aversion=st.floats(0, 1e-3),
)


@st.composite
def bounded(draw):
    """A spec whose slices are bounded, and enough of them for its quantity."""
    spec, lot = draw(specs), draw(st.sampled_from([1, 10, 100]))
    least = draw(st.integers(1, spec.quantity))
    fair = -(-spec.quantity // spec.slices)
    most = draw(st.none() | st.integers(2 * max(lot, least, fair) + 2 * lot, 3_000_000))
    return replace(spec, lot=lot, min_slice=least, max_slice=most)


def test_every_algorithm_can_be_asked_for():
    for name in ALGOS:
        asked = {"symbol": "AAPL", "side": "BUY", "quantity": 1, "algorithm": name}
        assert parse(asked).algorithm == name


@pytest.mark.parametrize("algorithm", ALGOS)
@given(spec=specs)
@settings(deadline=None, max_examples=60)
def test_a_plan_is_exact_ordered_and_inside_its_window(algorithm, spec):
    parts = ALGOS[algorithm].plan(spec)

    assert parts == ALGOS[algorithm].plan(spec)  # the same seed, the same plan
    assert 1 <= len(parts) <= spec.slices
    assert [part.sequence for part in parts] == list(range(len(parts)))
    assert sum(part.quantity for part in parts) == spec.quantity
    assert parts[-1].cumulative_quantity == spec.quantity
    assert all(part.quantity > 0 for part in parts)
    assert spec.start <= parts[0].due_at
    assert parts[-1].end_at == spec.end
    assert all(part.due_at < part.end_at for part in parts)
    for part, following in pairwise(parts):
        assert part.end_at < following.due_at
        assert following.cumulative_quantity == part.cumulative_quantity + following.quantity


@pytest.mark.parametrize("algorithm", OVER_TIME)
@given(spec=bounded())
@settings(deadline=None, max_examples=60)
def test_every_slice_is_whole_lots_within_its_bounds(algorithm, spec):
    sizes = [part.quantity for part in ALGOS[algorithm].plan(spec)]
    assert sum(sizes) == spec.quantity
    assert all(size % spec.lot == 0 for size in sizes[:-1])
    # An odd lot that cannot ride on a whole one stands alone, at the end.
    assert all(size >= min(spec.min_slice, spec.quantity) for size in sizes[:-1])
    assert sizes[-1] >= min(spec.min_slice, spec.quantity) or sizes[-1] % spec.lot
    assert spec.max_slice is None or max(sizes) <= spec.max_slice


@pytest.mark.parametrize("algorithm", OVER_TIME)
@given(spec=bounded(), fates=st.lists(st.floats(0, 1), min_size=1, max_size=20), good=st.booleans())
@settings(deadline=None, max_examples=60)
def test_every_child_is_within_the_bounds_whatever_the_ones_before_did(
    algorithm, spec, fates, good
):
    parts, filled = ALGOS[algorithm].plan(spec), 0
    for part, fate in zip(parts, cycle(fates), strict=False):
        room, last = spec.quantity - filled, part.sequence == len(parts) - 1
        child = next_child(
            quantity=spec.quantity,
            filled=filled,
            working=0,
            planned=part.quantity,
            cumulative=part.cumulative_quantity,
            slices_left=len(parts) - part.sequence,
            lot=spec.lot,
            min_slice=spec.min_slice,
            max_slice=spec.max_slice,
            good_price=good,
        ).quantity
        assert 0 <= child <= min(room, spec.max_slice or room)
        assert child % spec.lot == 0 or child == room
        assert child >= spec.min_slice or child in (0, room)
        if (good or last) and spec.max_slice is None:
            assert child == room
        filled += int(child * fate)


@pytest.mark.parametrize("algorithm", OVER_TIME)
@given(spec=specs, seed=st.integers(0, 2**63 - 1))
@settings(deadline=None, max_examples=30)
def test_another_seed_moves_times_and_never_sizes(algorithm, spec, seed):
    sizes, other = ALGOS[algorithm].plan(spec), ALGOS[algorithm].plan(replace(spec, seed=seed))
    assert [part.quantity for part in sizes] == [part.quantity for part in other]


@pytest.mark.parametrize("algorithm", OVER_TIME)
@given(spec=specs, missed=st.sets(st.integers(0, 99)), share=st.floats(0, 1))
@settings(deadline=None, max_examples=60)
def test_no_pattern_of_outages_ends_in_a_burst_or_an_overfill(algorithm, spec, missed, share):
    """A slice that follows an outage catches up by no more than its part of what was missed."""
    parts = ALGOS[algorithm].plan(spec)
    filled = 0
    for part in parts:
        if part.sequence in missed:
            continue
        left = len(parts) - part.sequence
        child = next_child(
            quantity=spec.quantity,
            filled=filled,
            working=0,
            planned=part.quantity,
            cumulative=part.cumulative_quantity,
            slices_left=left,
        )
        behind = part.cumulative_quantity - part.quantity - filled
        assert child.quantity <= part.quantity + max(-(-behind // left), 0)
        filled += child.quantity if left == 1 else int(child.quantity * share)
        assert filled <= spec.quantity
    if len(parts) - 1 not in missed:
        assert filled == spec.quantity


FLAT = Profile.even([1.0])


def pov(quantity, **more):
    wish = {"slices": 13, "profile": FLAT, "participation": 0.1, "session_volume": 130_000}
    return [part.quantity for part in ALGOS["POV"].plan(spec(quantity, **wish | more))]


@pytest.mark.parametrize(
    ("quantity", "changes", "sizes"),
    [
        pytest.param(2_500, {}, [1_000, 1_000, 500], id="a tenth of 10,000 each half hour"),
        pytest.param(13_000, {}, [1_000] * 13, id="the whole day, just"),
        pytest.param(26_000, {}, [2_000] * 13, id="too much: as the profile, for the cap to brake"),
        pytest.param(1_300, {"session_volume": None}, [100] * 13, id="volume unknown"),
        pytest.param(3_000, {"participation": 0.2}, [2_000, 1_000], id="a fifth"),
    ],
)
def test_pov_follows_the_expected_volume(quantity, changes, sizes):
    assert pov(quantity, **changes) == sizes


@pytest.mark.parametrize("participation", [0, -0.1, 1.1, float("nan")])
def test_pov_refuses_what_is_no_part_of_the_volume(participation):
    with pytest.raises(ValueError, match="participation = "):
        pov(1_000, participation=participation)


def shortfall(**changes):
    wish = {
        "slices": 13,
        "price": 50.0,
        "spread_bps": 25.0,
        "average_daily_volume": 5_000_000.0,
        "daily_volatility": 0.019,
        "risk_aversion": 1e-6,
    }
    return [part.quantity for part in ALGOS["IS"].plan(spec(1_000_000, **wish | changes))]


def test_the_rule_of_thumb_is_that_of_almgren_and_chriss():
    """Their example: $50, 5 million shares a day, a spread of 1/8."""
    impact = usual_impact(spread=0.125, average_daily_volume=5_000_000)
    assert (impact.epsilon, impact.gamma, impact.eta) == pytest.approx((0.0625, 2.5e-7, 2.5e-6))


def test_is_with_boundless_fear_trades_all_at_once():
    assert shortfall(risk_aversion=1e306) == [1_000_000]


def test_is_trades_faster_the_more_it_fears_the_risk():
    calm, usual, anxious = (shortfall(risk_aversion=risk) for risk in (1e-8, 1e-6, 1e-5))
    assert calm[0] < usual[0] < anxious[0]
    assert usual == sorted(usual, reverse=True)


@pytest.mark.parametrize(
    "unknown",
    [
        {"risk_aversion": 0},
        {"daily_volatility": None},
        {"average_daily_volume": None},
        {"price": None},
        {"spread_bps": 0.0},
        {"spread_bps": 5e-324},
    ],
)
def test_is_without_a_risk_to_weigh_is_twap(unknown):
    assert set(shortfall(**unknown)) == {76_923, 76_924}
