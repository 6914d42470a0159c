"""One turn of the evaluation that runs while no other process evaluates."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.utils import timezone

from deepstack.config import Config
from execution.models import TradingState
from monitoring.alerting import standby, unread_events
from monitoring.alerting.standby import Standby
from monitoring.models import Alert, EventCursor
from tests.integration.monitoring.receiver import Receiver, receiving
from tests.integration.monitoring.rows import CONFIG

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.any_date]

LONGEST = timedelta(seconds=5)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


def told_to(receiver: Receiver) -> Config:
    return CONFIG.model_copy(update={"alert_webhook_url": receiver.url})


def heard(receiver: Receiver, kind: str) -> int:
    return [body["kind"] for _, body in receiver.got].count(kind)


def last_evaluation(seconds_ago: float) -> None:
    unread_events.take_turn()
    at = timezone.now() - timedelta(seconds=seconds_ago)
    EventCursor.objects.update(evaluated_at_real=at)


@pytest.mark.parametrize(
    ("seconds_ago", "told"), [(-60.0, 0), (3.5, 1)], ids=["somebody evaluates", "nobody does"]
)
def test_what_nobody_evaluates_is_told_in_the_same_turn(
    receiver: Receiver, seconds_ago: float, told: int
) -> None:
    TradingState.objects.create(scope="SYSTEM", state="HALTED", reason="drill", changed_by="ann")
    last_evaluation(seconds_ago)
    Standby(told_to(receiver)).turn()
    assert heard(receiver, "TRADING_HALTED") == told


def test_the_longest_wait_for_a_turn_leaves_a_second_for_the_turn_itself() -> None:
    assert standby.UNEVALUATED + timedelta(seconds=standby.EVERY + 1) <= LONGEST


def test_a_database_that_is_gone_is_told_without_it_and_stored_when_it_is_back(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = timezone.now()

    def now() -> datetime:
        return at

    waiting = Standby(told_to(receiver), now)
    waiting.turn()
    connection.close()
    with monkeypatch.context() as gone:
        gone.setitem(connection.settings_dict, "NAME", "no_such_database")
        waiting.turn()
        assert heard(receiver, "DATABASE_AWAY") == 0
        at += standby.LASTING
        waiting.turn()
        waiting.turn()
        assert heard(receiver, "DATABASE_AWAY") == 1
    waiting.turn()
    assert Alert.objects.filter(kind="DATABASE_AWAY").count() == 1
