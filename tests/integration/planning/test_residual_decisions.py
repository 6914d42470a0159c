"""What an order has left is decided once, whatever happens to it meanwhile."""

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections, transaction

from deepstack.config import Scheduling
from execution.booking import completion
from execution.entry import amend, order_controls
from execution.risk import kill_switch
from execution.sending import dispatcher
from tests.integration.planning.test_residuals import (
    CLOSE,
    ELEVEN,
    FLAT,
    TEN,
    ended,
    residual_plans,
    trial,
)
from tests.integration.rebuild import assert_audit_trail_matches
from tests.integration.thin_market import (
    TODAY,
    all_of,
    at_minute,
    context_at,
    none_of,
    session_on,
    trade,
)
from tests.stack import empty_redis

pytestmark = [pytest.mark.django_db, pytest.mark.any_date]


def test_nothing_is_planned_while_the_fate_of_a_child_is_unknown() -> None:
    trade(FLAT)
    given = trial(lambda size, minute: None if minute == TEN else 0, residual="FORCE")
    given.run(until=at_minute(ELEVEN - 3))
    assert residual_plans(given.order) == []

    given.context = context_at(at_minute(ELEVEN - 3))
    given.end(given.children[0])
    assert residual_plans(given.order)[0]["residual"] == 1_000
    given.run(until=at_minute(ELEVEN - 2))
    assert given.sent[-1] == (ELEVEN - 3, 1_000)


@pytest.mark.parametrize("policy", ["FORCE", "CLOSE", "EXTEND"])
def test_a_paused_order_does_not_go_on_by_itself(policy: str) -> None:
    trade(FLAT)
    given = trial(none_of, residual=policy)
    given.run(until=at_minute(ELEVEN - 20))
    order_controls.pause(given.order.pk, by="ann", now=at_minute(ELEVEN - 20))
    given.context = context_at(at_minute(ELEVEN - 20))
    status, _, _ = ended(given.run())
    assert (status, residual_plans(given.order)) == ("EXPIRED", [])


def test_a_paused_order_that_is_resumed_in_time_is_forced() -> None:
    trade(FLAT)
    given = trial(none_of, residual="FORCE")
    given.run(until=at_minute(ELEVEN - 20))
    order_controls.pause(given.order.pk, by="ann", now=at_minute(ELEVEN - 20))
    given.context, given.answer = context_at(at_minute(ELEVEN - 20)), all_of
    given.run(until=at_minute(ELEVEN - 4))
    order_controls.resume(given.order.pk, by="ann", now=at_minute(ELEVEN - 4))
    assert ended(given.run())[:2] == ("FILLED", 1_000)
    assert given.sent[-1][1] == 1_000


@pytest.mark.parametrize("policy", ["FORCE", "CLOSE", "EXTEND"])
def test_a_cancelled_order_does_not_go_on(policy: str) -> None:
    trade(FLAT)
    given = trial(none_of, residual=policy)
    given.run(until=at_minute(ELEVEN - 20))
    order_controls.cancel(given.order.pk, by="ann", now=at_minute(ELEVEN - 20))
    given.end(given.children[-1])
    status, _, _ = ended(given.order)
    assert (status, residual_plans(given.order)) == ("CANCELLED", [])


def test_a_halt_holds_a_forced_rest_back() -> None:
    trade(FLAT)
    given = trial(none_of, residual="FORCE")
    given.run(until=at_minute(ELEVEN - 7))
    scope = {"scope": "SYMBOL", "key": "GWW", "by": "ann", "reason": "news"}
    kill_switch.set_state(state="HALTED", **scope)
    given.context, given.answer, before = context_at(at_minute(ELEVEN - 7)), all_of, len(given.sent)
    given.run(until=at_minute(ELEVEN - 1))
    assert (len(given.sent), len(residual_plans(given.order))) == (before, 3)

    kill_switch.set_state(state="ACTIVE", **scope)
    given.context = context_at(at_minute(ELEVEN - 1))
    assert ended(given.run())[:2] == ("FILLED", 1_000)


def test_an_end_that_is_noticed_again_and_again_is_decided_once() -> None:
    trade(FLAT)
    given = trial(none_of, residual="EXTEND")
    given.run(until=at_minute(ELEVEN))
    for child in given.children:
        given.end(child)
    now = at_minute(ELEVEN) + timedelta(seconds=1)
    for _ in range(3):
        completion.expire(given.order.pk, at=now)
    assert len(residual_plans(given.order)) == 1


@pytest.mark.django_db(transaction=True)
def test_two_that_notice_the_end_at_one_moment_decide_once() -> None:
    empty_redis()
    trade(FLAT)
    given = trial(residual="CLOSE")
    now = at_minute(ELEVEN)

    def notice(_: int) -> None:
        try:
            completion.expire(given.order.pk, at=now)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(6) as loops:
        list(loops.map(notice, range(6)))
    assert [each["residual"] for each in residual_plans(given.order)] == [1_000]
    assert given.order.slices.filter(status__in=("PLANNED", "QUEUED")).count() == 1


def test_a_decision_that_is_not_committed_was_never_made() -> None:
    trade(FLAT)
    given = trial(residual="CLOSE")
    before = list(given.order.slices.order_by("pk").values())

    def power_cut() -> None:
        with transaction.atomic():
            completion.expire(given.order.pk, at=at_minute(ELEVEN))
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        power_cut()
    given.order.refresh_from_db()
    assert list(given.order.slices.order_by("pk").values()) == before
    assert (given.order.end_at, residual_plans(given.order)) == (at_minute(ELEVEN), [])
    assert ended(given.run())[:2] == ("FILLED", 1_000)


def test_what_was_planned_is_enqueued_by_whichever_loop_comes_next() -> None:
    trade(FLAT)
    given = trial(residual="CLOSE")
    completion.expire(given.order.pk, at=at_minute(ELEVEN))
    [part] = given.order.slices.filter(status="PLANNED")
    later = given.order.created_at_real + timedelta(seconds=5)
    enqueued = dispatcher.due_slices(part.due_at, later, Scheduling())
    assert enqueued == [(part.pk, at_minute(CLOSE - 5))]


@pytest.mark.parametrize("policy", ["LEAVE", "FORCE", "CLOSE", "EXTEND", "EXTEND_FORCE"])
@pytest.mark.parametrize("seed", range(3))
def test_whatever_the_broker_does_the_books_close(policy: str, seed: int) -> None:
    """Every step checks F + W <= Q; the end is a clean one."""
    trade(FLAT)
    chance = random.Random(f"{policy}{seed}")

    def moody(size: int, minute: float) -> int:
        return chance.choice([0, 0, size, size // 2, chance.randint(0, size)])

    given = trial(moody, residual=policy, quantity=chance.randint(1, 2_000))
    order = given.run()
    assert_audit_trail_matches(order)
    assert order.is_terminal
    left = order.quantity - order.filled_quantity
    assert order.status == ("EXPIRED" if left else "FILLED")
    assert order.status_reason.startswith(f"{left:,} of " if left else "")
    assert order.end_at <= session_on(TODAY).close


def test_an_amended_order_is_forced_with_its_new_rest() -> None:
    trade(FLAT)
    given = trial(none_of, residual="FORCE")
    given.run(until=at_minute(ELEVEN - 5))
    assert len(residual_plans(given.order)) == 1
    given.answer = all_of
    now = context_at(at_minute(ELEVEN - 5))
    amend.amend(given.order.pk, {"quantity": 1_500}, version=1, by="ann", context=now)
    given.order.refresh_from_db()
    given.context = now
    assert ended(given.run())[:2] == ("FILLED", 1_500)
    assert given.order.end_at == at_minute(ELEVEN)


@pytest.mark.parametrize(
    ("terms", "minute"),
    [
        ({"algorithm": "LIMIT", "aggressive_after": 0.5}, TEN + 40),
        ({"residual": "EXTEND_FORCE", "max_extensions": 1}, ELEVEN + 14),
    ],
)
def test_an_amended_order_crosses_with_what_was_added(terms: Any, minute: int) -> None:
    trade(FLAT)
    given = trial(none_of, **terms)
    given.run(until=at_minute(minute))
    assert given.order.routing["residual"]["turns"] < 3
    now = context_at(at_minute(minute))
    amend.amend(given.order.pk, {"quantity": 1_500}, version=1, by="ann", context=now)
    given.context, given.answer = now, all_of
    given.end(given.children[-1])
    given.order.refresh_from_db()
    assert ended(given.run())[:2] == ("FILLED", 1_500)


def test_an_amended_order_that_waits_for_the_close_goes_on_waiting() -> None:
    trade(FLAT)
    given = trial(none_of, residual="CLOSE")
    given.run(until=at_minute(ELEVEN + 30))
    now = context_at(at_minute(ELEVEN + 30))
    amend.amend(given.order.pk, {"quantity": 700}, version=1, by="ann", context=now)
    given.context, given.answer = now, all_of
    given.order.refresh_from_db()
    assert ended(given.run())[:2] == ("FILLED", 700)
    assert given.sent[-1] == (CLOSE - 5, 700)
