"""When an order goes on with what its schedule has left, and until when."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execution.domain.residual import SHORTEST, Policy, Schedule, Terms
from tests.unit.domain.days import CLOSE, OPEN, at

ROOM = timedelta(minutes=10)
FORCED = Terms(Policy.FORCE, ROOM, None, turns=3)


def terms(policy, minutes=10, *, close=CLOSE, turns=2, then=None):
    return Terms(policy, timedelta(minutes=minutes), close, turns, then)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (terms(Policy.LEAVE), 60),
        (terms(Policy.EXTEND), 60),
        (terms(Policy.FORCE), 50),
        (terms(Policy.CROSS, 15), 45),
        (terms(Policy.CLOSE), 60),
        (terms(Policy.CLOSE, 340), 50),  # the last minutes of the session begin before the end
        (terms(Policy.CLOSE, 390), 30),  # half of the window is the algorithm's at least
    ],
)
def test_where_the_schedule_ends(given, expected):
    assert given.schedule_end(OPEN, at(60)) == at(expected)


@pytest.mark.parametrize(
    ("given", "now", "stage"),
    [
        (terms(Policy.LEAVE), 60, None),
        (terms(Policy.FORCE, turns=1), 50, (50, 60, 60)),
        (terms(Policy.FORCE, turns=3), 51, (51, 54, 60)),  # a third of what is left
        (terms(Policy.FORCE, turns=3), 30, (50, 50 + 10 / 3, 60)),  # nothing is forced early
        (terms(Policy.FORCE, turns=0), 51, None),
        (terms(Policy.FORCE), 60, None),
        (terms(Policy.CROSS, turns=1), 50.5, (50.5, 60, 60)),
        (terms(Policy.CLOSE, turns=1), 61, (380, 390, 390)),
        (terms(Policy.CLOSE, turns=1), 385, (385, 390, 390)),
        (terms(Policy.CLOSE), 390, None),
        (terms(Policy.EXTEND), 61, (61, 70, 70)),  # from the end that it moves
        (terms(Policy.EXTEND), 55, (55, 70, 70)),
        (terms(Policy.EXTEND, 400), 61, (61, 390, 390)),
        (terms(Policy.EXTEND, 400, close=None), 61, (61, 460, 460)),
        (terms(Policy.EXTEND), 75, None),  # noticed too late: that window is over, too
        (terms(Policy.EXTEND, turns=0), 61, None),
        (terms(Policy.EXTEND, 20, turns=2, then=FORCED), 60, (60, 80, 80)),
        (terms(Policy.EXTEND, 20, turns=1, then=FORCED), 60, (60, 70, 80)),
        (terms(Policy.EXTEND, 10, turns=1, then=FORCED), 60, (60, 65, 70)),
        (terms(Policy.EXTEND, 400, turns=2, then=FORCED), 60, (60, 380, 390)),
    ],
)
def test_the_next_stage(given, now, stage):
    found = given.next_stage(now=at(now), end=at(60))
    assert (found and (found.start, found.end, found.until)) == (stage and tuple(map(at, stage)))


def test_the_last_extension_hands_over_to_what_follows():
    first = terms(Policy.EXTEND, turns=2, then=FORCED).next_stage(now=at(60), end=at(60))
    assert (first.terms.policy, first.terms.turns) == (Policy.EXTEND, 1)
    last = first.terms.next_stage(now=at(70), end=at(70))
    assert (last.terms.policy, last.terms.turns) == (Policy.FORCE, 3)
    assert last.terms.length == ROOM / 2


lengths = st.floats(0.1, 500).map(lambda minutes: timedelta(minutes=minutes))
any_terms = st.builds(
    Terms,
    policy=st.sampled_from(Policy),
    length=lengths,
    close=st.just(CLOSE),
    turns=st.integers(0, 5),
    then=st.none() | st.builds(replace, st.just(FORCED), length=lengths),
)


@given(wish=any_terms, moments=st.lists(st.floats(0, 60), max_size=20))
def test_however_late_it_is_noticed_stages_end_and_stay_in_the_session(wish, moments):
    """Each stage is decided so many minutes after the one before has ended."""
    now = end = at(60)
    stages = 0
    for minutes in moments:
        stage = wish.next_stage(now=now, end=end)
        if stage is None:
            break
        stages += 1
        assert now <= stage.start < stage.end <= stage.until <= CLOSE
        assert stage.until >= end
        assert stage.until == end or wish.policy in (Policy.CLOSE, Policy.EXTEND)
        assert stage.until - stage.start >= SHORTEST
        now, end, wish = stage.end + timedelta(minutes=minutes), stage.until, stage.terms
    assert stages <= 5 + 3


@given(wish=any_terms)
def test_terms_survive_as_plain_values(wish):
    kept = json.loads(json.dumps(wish.as_json()))
    found = Terms.from_json(kept)
    assert found == replace(wish, length=found.length, then=found.then)
    assert abs(found.length - wish.length) < timedelta(milliseconds=1)


def test_a_schedule_survives_as_plain_values_and_counts_what_was_done_before():
    schedule = Schedule(at(60), at(80), first=10, done=750)
    assert Schedule.from_json(json.loads(json.dumps(schedule.as_json()))) == schedule
    assert [schedule.share(part, 1_000) for part in (0, 0.5, 1)] == [0.75, 0.875, 1]
    assert Schedule(OPEN, CLOSE).share(1 / 3, 1_000) == 1 / 3
