"""The schedule that follows the market decides from minutes that have ended, and only those."""

from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.bars import Day
from benchmarks.schedules import dynamic
from benchmarks.stock_days import Case
from execution.domain.volume_forecast import expected_volume
from execution.domain.volume_profile import U_SHAPE
from tests.unit.domain.days import CLOSE, FULL_DAY, OPEN, at

USUAL = 100  # shares a minute


def decisions(minutes: list[int]) -> list[int]:
    """The sizes of a full day's slices of five minutes, when the market trades these minutes."""
    case = Case(
        day=Day(OPEN, minutes, [10.0 * volume for volume in minutes]),
        session=FULL_DAY,
        own=U_SHAPE,
        drawn=U_SHAPE,
        mean_volume=390.0 * USUAL,
        expected=expected_volume([390 * USUAL] * 20),
    )
    sent = dynamic(case, OPEN, CLOSE, profile=U_SHAPE)
    assert [due for due, _ in sent] == [at(5 * k) for k in range(78)]
    return [size for _, size in sent]


@given(minute=st.integers(0, 389), factor=st.floats(0, 20), shift=st.integers(0, 60))
@settings(deadline=None, max_examples=25)
def test_another_future_leaves_every_decision_as_it_was(minute, factor, shift):
    day = [USUAL + 7 * (k % 13) for k in range(390)]
    future = day[minute:]
    shifted = future[shift:] + future[:shift]
    other = day[:minute] + [int(volume * factor) for volume in shifted]
    known = minute // 5 + 1  # slices due before the minute in which the days part has ended
    assert decisions(day)[:known] == decisions(other)[:known]


def test_another_past_changes_the_decisions_that_follow():
    day = [USUAL] * 390
    other = [USUAL] * 100 + [USUAL * 5] * 20 + [USUAL] * 270
    assert decisions(day)[:21] == decisions(other)[:21]
    assert decisions(day)[21] != decisions(other)[21]
