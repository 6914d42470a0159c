"""What a caller is told of the workers: dead, in trouble, or with a wrong clock."""

from datetime import timedelta

import pytest
from django.db.models import F

from execution import heartbeat
from execution.entry import submission
from execution.models import Heartbeat

pytestmark = pytest.mark.django_db

WORKER = Heartbeat.Kind.WORKER


def test_a_dead_worker_is_named_with_the_time_since() -> None:
    heartbeat.beat(WORKER)
    assert submission.concern() == ""
    Heartbeat.objects.update(seen_at_real=F("seen_at_real") - timedelta(seconds=60))
    assert submission.concern().startswith("no live worker")
    last_seen = rf"the last, {heartbeat.own_name()}, showed life 60 s ago"
    with pytest.raises(submission.NoLiveWorker, match=last_seen):
        submission.require_worker()


def test_a_worker_that_cannot_write_is_told_as_such() -> None:
    heartbeat.beat(WORKER, {heartbeat.TROUBLE: "PostgreSQL: it is read-only"})
    assert heartbeat.alive(WORKER) == 1
    assert f"{heartbeat.own_name()}: PostgreSQL: it is read-only" in submission.concern()


def test_a_wrong_clock_is_told_to_whoever_places_an_order() -> None:
    heartbeat.beat(WORKER, {heartbeat.AHEAD: -8.0})
    assert submission.concern() == (
        f"the clock of worker {heartbeat.own_name()} is 8.0 s behind the database's"
    )
