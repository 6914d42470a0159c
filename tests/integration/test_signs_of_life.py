"""What a caller is told of the workers: dead, in trouble, or with a wrong clock."""

from datetime import timedelta

import pytest
from django.db.models import F

from execution import heartbeat, waiting
from execution.models import Heartbeat

pytestmark = pytest.mark.django_db

WORKER = Heartbeat.Kind.WORKER


def test_a_dead_worker_is_named_with_the_time_since() -> None:
    heartbeat.beat(WORKER)
    assert waiting.concern() == ""
    Heartbeat.objects.update(seen_wall=F("seen_wall") - timedelta(seconds=60))
    assert waiting.concern().startswith("no live worker")
    last_seen = rf"the last, {heartbeat.own_name()}, showed life 60 s ago"
    with pytest.raises(waiting.NoLiveWorker, match=last_seen):
        waiting.require_worker()


def test_a_worker_that_cannot_write_is_told_as_such() -> None:
    heartbeat.beat(WORKER, {heartbeat.TROUBLE: "PostgreSQL: it is read-only"})
    assert heartbeat.alive(WORKER) == 1
    assert f"{heartbeat.own_name()}: PostgreSQL: it is read-only" in waiting.concern()


def test_a_wrong_clock_is_told_to_whoever_places_an_order() -> None:
    heartbeat.beat(WORKER, {heartbeat.AHEAD: -8.0})
    assert waiting.concern() == (
        f"the clock of worker {heartbeat.own_name()} is 8.0 s behind the database's"
    )
