"""When recovery mode begins by itself, and who ends it."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

import pytest
from django.db.models import F

from execution import context
from execution.broker.admission import Admission
from execution.broker.base import AccountState, BrokerUnavailable
from execution.broker.order_manager import OrderManager
from execution.broker.paper_trader import PaperTrader
from execution.models import (
    BrokerAccount,
    DatabaseOrigin,
    Order,
    OrderEvent,
    Recovery,
    TradingState,
)
from execution.reconciliation import recovery
from execution.reconciliation.recovery import NotReleased
from execution.risk import kill_switch, recovery_mode
from monitoring.alerting import system_rules
from tests.integration.monitoring.rows import NOON, add_event, working

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.any_date]

SYSTEM = {"scope": "SYSTEM", "key": "", "by": "eve", "reason": "drill", "now": NOON}


@pytest.fixture(autouse=True)
def forgetful_redis() -> Iterator[None]:
    recovery_mode.forget_newest_event()
    yield
    recovery_mode.forget_newest_event()


def moved() -> None:
    """As a copy of the rows would be in another database."""
    recovery_mode.adopt()
    DatabaseOrigin.objects.update(database=F("database") + 1)


def state() -> tuple[str, str]:
    row = TradingState.objects.get(scope="SYSTEM")
    return row.state, row.changed_by


def settled_event(order: Order) -> OrderEvent:
    event = add_event(order, "ORDER_STATUS", to="WORKING")
    old = F("recorded_at_real") - 2 * recovery_mode.SETTLED_AFTER
    OrderEvent.objects.filter(pk=event.pk).update(recorded_at_real=old)
    return event


def test_a_database_that_stays_where_it_is_is_in_no_recovery_mode() -> None:
    settled_event(working())
    for _ in range(2):
        recovery_mode.note_newest_event()
        assert recovery_mode.check() is None
    assert not TradingState.objects.exists()


def test_rows_in_another_database_than_they_were_written_in_are_not_traded_on() -> None:
    moved()
    found = recovery_mode.check()
    assert found is not None
    assert "a backup was restored, or the database copied" in found.cause
    assert state() == ("HALTED", "recovery mode")
    assert recovery_mode.check() == found
    assert Recovery.objects.count() == 1


def test_a_database_that_lost_events_which_redis_remembers_is_not_traded_on() -> None:
    recovery_mode.check()
    event = settled_event(working())
    recovery_mode.note_newest_event()
    OrderEvent.objects.filter(pk=event.pk).delete()
    found = recovery_mode.check()
    assert found is not None
    assert f"Redis remembers event {event.pk:,}" in found.cause


def test_an_event_that_may_not_be_on_the_disk_yet_is_not_remembered() -> None:
    """A crash of PostgreSQL may take it back: that is no restore."""
    recovery_mode.check()
    event = add_event(working(), "ORDER_STATUS", to="WORKING")
    recovery_mode.note_newest_event()
    event.delete()
    assert recovery_mode.check() is None


@pytest.mark.parametrize("wanted", ["ACTIVE", "REDUCING"])
def test_only_a_release_lets_the_system_trade_again(wanted: str) -> None:
    moved()
    recovery_mode.check()
    with pytest.raises(ValueError, match="recovery --release"):
        kill_switch.change(**SYSTEM, state=wanted)
    kill_switch.change(scope="SYMBOL", key="AAPL", state=wanted, by="eve", reason="r", now=NOON)
    assert state() == ("HALTED", "recovery mode")


def test_a_named_person_releases_with_a_reason_and_once() -> None:
    moved()
    recovery_mode.check()
    usual = context.default()
    for nobody in ({"by": " ", "reason": "x"}, {"by": "eve", "reason": ""}):
        with pytest.raises(NotReleased, match="are required"):
            recovery.release(usual, **nobody)
    told = recovery.release(usual, by="eve", reason="all explained")
    assert told.compared
    assert told.accounts
    assert state() == ("ACTIVE", "eve")
    assert Recovery.objects.get().released_by == "eve"
    with pytest.raises(NotReleased, match="no recovery mode"):
        recovery.release(usual, by="eve", reason="again")
    assert recovery_mode.check() is None


class Silent(PaperTrader):
    """A broker that does not say what an account holds."""

    def account_state(self, account: str, *, now: datetime) -> AccountState:
        raise BrokerUnavailable("maintenance")


def test_nobody_releases_what_could_not_be_compared() -> None:
    moved()
    recovery_mode.check()
    usual = context.default()
    mute = replace(usual, broker=OrderManager(usual.config, Silent(usual.config)))
    with pytest.raises(NotReleased, match="is not compared: maintenance"):
        recovery.release(mute, by="eve", reason="it looked fine")
    assert state() == ("HALTED", "recovery mode")
    assert Recovery.objects.get().released_at_real is None


def test_what_a_person_had_halted_before_stays_halted() -> None:
    moved()
    kill_switch.halt(**SYSTEM)
    recovery_mode.check()
    recovery.release(context.default(), by="eve", reason="all explained")
    assert state()[0] == "HALTED"
    kill_switch.resume(**SYSTEM)
    assert state()[0] == "ACTIVE"


def test_what_a_person_has_halted_since_stays_halted() -> None:
    moved()
    recovery_mode.check()
    kill_switch.halt(**SYSTEM)
    recovery.release(context.default(), by="ann", reason="all explained")
    assert state() == ("HALTED", "eve")
    assert Recovery.objects.get().was_halted == "by eve: drill"
    kill_switch.resume(**SYSTEM)
    assert state()[0] == "ACTIVE"


def test_after_a_promotion_each_account_is_compared_before_it_sends() -> None:
    recovery_mode.check()
    BrokerAccount.objects.create(broker="alpaca", account="main")
    DatabaseOrigin.objects.update(timeline="before")
    for _ in range(2):
        assert recovery_mode.check() is None
    due = BrokerAccount.objects.get().due_at_real
    assert due is not None
    assert not Admission("alpaca").open_for(["main"])
    recovery_mode.check()
    assert BrokerAccount.objects.get().due_at_real == due, "compared once is enough"


def test_the_alert_says_how_to_end_it() -> None:
    told = system_rules.halted(
        scope="SYSTEM", key="", state="HALTED", reason="r", by="recovery mode", since=NOON
    )
    assert told is not None
    assert "manage.py recovery --release" in told.remedy
    assert told.severity == "CRITICAL"
