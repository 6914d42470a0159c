"""A halt or a pause holds an order's shares back and kills nothing: they return to the plan, and
leave after the resume while the order has time. So do shares of which nobody could know enough."""

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from deepstack.config import Scheduling
from execution import amend, bells, controls, halts, orders, outcomes, reconcile, slices
from execution import desk as desks
from execution.broker.base import BrokerOrder
from execution.domain.lifecycle import SliceStatus
from execution.market.base import MarketDataUnavailable, Quote
from execution.models import Order, Slice
from execution.sentences import sentence
from execution.story import move_slice
from tests.integration.desk_work import claim, execution, hear, new_order, report, working
from tests.integration.rebuild import assert_story_matches
from tests.integration.thin_market import (
    MINUTE,
    STEP,
    Trial,
    all_of,
    at_minute,
    desk_at,
    none_of,
    order_of,
    trade,
)

pytestmark = pytest.mark.django_db

TEN, ELEVEN = 30, 90  # minutes of the session; the order's window
FLAT = [900.0] * 390


def trial(answer: Any = none_of, **wishes: Any) -> Trial:
    trade(FLAT)
    scheduling = Scheduling(defer_seconds=STEP.total_seconds())
    desk = desk_at(at_minute(TEN), scheduling=scheduling)
    if wishes.get("algorithm") == "LIMIT":
        wishes = {"limit_price": 899} | wishes
    return Trial(order_of(desk, **wishes), desk, answer)


class Halted:
    """A halt of a scope, by a named person, until it is resumed."""

    def __init__(
        self, given: Trial, minute: float, *, scope: str = "SYSTEM", key: str = ""
    ) -> None:
        self.given, self.scope, self.key = given, scope, key
        self._set("HALTED", at_minute(minute))

    def resume(self, minute: float) -> None:
        self._set("ACTIVE", at_minute(minute))

    def _set(self, state: str, now: datetime) -> None:
        where = {"scope": self.scope, "key": self.key, "state": state}
        halts.change(**where, by="ann", reason="news", now=now)
        self.given.hold(now)


def until(given: Trial, minute: float) -> None:
    """From where it is, with everything that comes due in between."""
    now = at_minute(minute)
    given.run(until=now)
    given.desk = replace(given.desk, now=lambda: now)
    given.hold(now)


def returned(order: Order) -> list[dict[str, Any]]:
    events = order.events.filter(kind="SHARES_RETURNED").order_by("pk")
    return [event.data for event in events]


def finished(given: Trial) -> tuple[str, int]:
    order = given.run()
    assert_story_matches(order)
    return order.status, order.filled_quantity


@pytest.mark.parametrize(
    "wishes",
    [
        {"algorithm": "LIMIT"},
        {"algorithm": "MARKET"},
        {"algorithm": "TWAP", "slices": 1},
        {"algorithm": "VWAP", "slices": 1},
        {"algorithm": "POV", "slices": 1, "max_participation": 0.5, "quantity": 100},
        {"algorithm": "IS", "slices": 1},
        {"algorithm": "LIMIT", "aggressive_after": 0.75},
        {"residual": "FORCE", "slices": 1},
    ],
    ids=lambda wishes: " ".join(map(str, wishes.values())),
)
def test_what_a_halt_cancels_leaves_again_after_the_resume(wishes: dict[str, Any]) -> None:
    given = trial(**wishes)
    until(given, TEN + 2)
    halt = Halted(given, TEN + 2)
    [held] = given.order.slices.filter(status="CANCELLED")
    assert held.reason == "HALTED: SYSTEM by ann: news"
    assert len(returned(given.order)) == 1
    sent = len(given.sent)

    until(given, TEN + 12)
    assert (given.order.status, len(given.sent)) == ("WORKING", sent)
    given.answer = all_of
    halt.resume(TEN + 12)
    quantity = given.order.quantity
    assert finished(given) == ("FILLED", quantity)
    assert TEN + 12 <= given.sent[-1][0] < TEN + 13
    assert given.sent[sent:] == [(given.sent[-1][0], quantity)]


@pytest.mark.parametrize(
    ("scope", "key"),
    [("SYSTEM", ""), ("ACCOUNT", "default"), ("STRATEGY", "trend"), ("SYMBOL", "GWW")],
)
def test_a_halt_of_any_scope_holds_and_says_which(scope: str, key: str) -> None:
    given = trial(algorithm="LIMIT", strategy="trend")
    until(given, TEN + 2)
    halt = Halted(given, TEN + 2, scope=scope, key=key)
    reason = given.order.slices.get(sequence=0).reason
    assert reason == f"HALTED: {scope} {key}".strip() + " by ann: news"
    given.answer = all_of
    halt.resume(TEN + 3)
    assert finished(given) == ("FILLED", 1_000)


def test_a_halt_of_another_symbol_cancels_nothing() -> None:
    given = trial(algorithm="LIMIT")
    until(given, TEN + 2)
    Halted(given, TEN + 2, scope="SYMBOL", key="AAPL")
    assert given.order.slices.get().status == "WORKING"


def test_the_story_tells_the_cancel_and_the_return_in_words() -> None:
    given = trial(algorithm="LIMIT")
    until(given, TEN + 2)
    Halted(given, TEN + 2)
    said = [sentence(event.kind, event.data) for event in given.order.events.order_by("pk")]
    assert "slice 0: WORKING -> CANCELLING (reason HALTED: SYSTEM by ann: news)" in said
    assert "slice 0: CANCELLING -> CANCELLED (reason HALTED: SYSTEM by ann: news)" in said
    assert any(line.startswith("1000 shares return to the plan, until ") for line in said)


def test_a_pause_cancels_what_works_and_the_resume_sends_it_again() -> None:
    given = trial(algorithm="LIMIT")
    until(given, TEN + 2)
    controls.pause(given.order.pk, by="ann", now=at_minute(TEN + 2), reason="lunch")
    given.hold(at_minute(TEN + 2))
    given.order.refresh_from_db()
    part = given.order.slices.get()
    assert (given.order.status, part.status) == ("PAUSED", "CANCELLED")
    assert part.reason == "PAUSED: lunch"
    assert returned(given.order) == []  # while it is paused it may still be amended

    controls.resume(given.order.pk, by="ann", now=at_minute(TEN + 9))
    given.desk = replace(given.desk, now=lambda: at_minute(TEN + 9))
    given.order.refresh_from_db()
    given.answer = all_of
    assert finished(given) == ("FILLED", 1_000)
    assert TEN + 9 < given.sent[-1][0] < TEN + 10


def test_the_last_slice_of_a_plan_that_a_halt_cancels_leaves_again() -> None:
    given = trial(lambda size, minute: size if minute < TEN + 54 else 0)
    until(given, TEN + 55)
    halt = Halted(given, TEN + 55)
    given.answer = all_of
    halt.resume(TEN + 56)
    assert finished(given) == ("FILLED", 1_000)
    assert given.sent[-1][1] == 100


def test_in_the_middle_of_a_plan_the_slices_that_follow_take_up_what_a_halt_cancelled() -> None:
    given = trial(lambda size, minute: 0 if minute == TEN else size)
    until(given, TEN + 2)
    halt = Halted(given, TEN + 2)
    halt.resume(TEN + 3)
    assert finished(given) == ("FILLED", 1_000)
    assert returned(given.order) == []
    assert given.order.slice_count == 10
    assert max(size for _, size in given.sent) <= 112  # spread over the nine that are left


def test_halts_and_resumes_in_a_row_lose_nothing() -> None:
    given = trial(algorithm="LIMIT")
    for minute in range(TEN + 2, TEN + 42, 4):
        until(given, minute)
        assert given.order.slices.filter(status="WORKING").count() == 1
        Halted(given, minute).resume(minute + 1)
    assert len(returned(given.order)) == 10
    given.answer = all_of
    assert finished(given) == ("FILLED", 1_000)


def test_a_forced_rest_keeps_its_tries_through_halts() -> None:
    given = trial(residual="FORCE")
    for minute in (55, 56, 57):
        until(given, TEN + minute)
        Halted(given, TEN + minute).resume(TEN + minute + 0.5)
    until(given, TEN + 57.9)
    given.answer = all_of
    assert finished(given) == ("FILLED", 1_000)
    last = given.order.slices.order_by("-sequence")[0]
    assert last.explanation["residual"] == "FORCE"


def test_a_halt_that_lasts_to_the_end_is_named_as_the_cause() -> None:
    given = trial(algorithm="LIMIT")
    until(given, TEN + 2)
    Halted(given, TEN + 2)
    assert finished(given) == ("EXPIRED", 0)
    assert given.order.status_reason == (
        "1,000 of 1,000 not executed: HALTED from 2024-06-12 10:02:00 ET to 2024-06-12 11:00:00 ET,"
        " SYSTEM by ann: news"
    )


def test_a_pause_that_lasts_to_the_end_is_named_as_the_cause() -> None:
    given = trial()
    until(given, TEN + 2)
    controls.pause(given.order.pk, by="ann", now=at_minute(TEN + 2), reason="lunch")
    given.hold(at_minute(TEN + 2))
    assert finished(given) == ("EXPIRED", 0)
    assert "PAUSED from 2024-06-12 10:02:00 ET to 2024-06-12 11:00:00 ET, lunch" in (
        given.order.status_reason
    )


def test_a_short_halt_is_no_excuse_for_a_price_that_was_never_met() -> None:
    given = trial(algorithm="LIMIT")
    until(given, TEN + 2)
    Halted(given, TEN + 2).resume(TEN + 3)
    assert finished(given) == ("EXPIRED", 0)
    assert "1,000 of 1,000 not executed: the market did not come to the limit of" in (
        given.order.status_reason
    )


def test_what_is_forbidden_by_a_fact_does_not_come_back() -> None:
    given = trial(algorithm="LIMIT")
    until(given, TEN + 2)
    halt = Halted(given, TEN + 2)
    part = given.order.slices.get(sequence=1)
    move_slice(part, SliceStatus.SKIPPED, at=at_minute(TEN + 3), reason="SYMBOL_RESTRICTED: x")
    halt.resume(TEN + 3)
    orders.expire(given.order.pk, at=given.order.end_at)
    given.order.refresh_from_db()
    assert (given.order.status, len(returned(given.order))) == ("EXPIRED", 1)


def test_the_largest_slice_bounds_what_returns() -> None:
    given = trial(max_slice=100)
    until(given, TEN + 2)
    halt = Halted(given, TEN + 2)
    until(given, TEN + 56)
    given.answer = all_of
    halt.resume(TEN + 56)
    assert finished(given) == ("FILLED", 1_000)
    assert max(size for _, size in given.sent) == 100
    minutes = [minute for minute, _ in given.sent[1:]]
    assert all(late - early > 0 for early, late in pairwise(minutes))


def test_after_a_halt_children_keep_their_gap_and_the_cap() -> None:
    trade(FLAT)  # 1,000 shares a minute
    scheduling = Scheduling(defer_seconds=STEP.total_seconds(), min_gap_seconds=90)
    desk = desk_at(at_minute(TEN), scheduling=scheduling)
    order = order_of(desk, quantity=3_000, slices=30, max_participation=0.1)
    given = Trial(order, desk, all_of)
    until(given, TEN + 5)
    halt = Halted(given, TEN + 5)
    until(given, TEN + 25)
    halt.resume(TEN + 25)
    finished(given)
    assert given.order.filled_quantity > 2_500
    sent, total = given.sent, 0
    for minute, size in sent:
        total += size
        assert total <= 100 * (minute - TEN) + 1
    assert all(late - early >= 1.5 for (early, _), (late, _) in pairwise(sent))
    assert max(size for _, size in sent) < 300  # 600 were missed in the halt


def test_an_amendment_while_a_cancel_is_pending_loses_nothing() -> None:
    order, intent = resting()
    halt_all()
    cancel_slowly(intent)
    halt_all("ACTIVE")
    change = {"quantity": 1_200}
    amend.amend(order.pk, change, version=1, by="ann", desk=desks.default())
    assert [part.planned_quantity for part in waiting(order)] == [200]
    hear(intent, report(intent, SliceStatus.CANCELLED))
    [part] = waiting(order)
    again = claim(part)
    assert again is not None
    assert again.ticket.quantity == 1_200


# One order at the broker, step by step.


def resting() -> tuple[Order, Any]:
    order = new_order(1_000, 1)
    intent = claim(order.slices.get())
    assert intent is not None
    hear(intent, report(intent, SliceStatus.WORKING))
    return order, intent


def halt_all(state: str = "HALTED") -> None:
    halts.set_state(scope="SYSTEM", key="", state=state, by="ann", reason="news")


class Slow:
    """A broker at the outer edge that takes a cancel and does not confirm it yet."""

    name = "paper"

    def __init__(self) -> None:
        self.cancels = 0

    def cancel(self, *_: object, **__: object) -> None:
        self.cancels += 1

    def find(self, *_: object, **__: object) -> BrokerOrder | None:
        return None


def cancel_slowly(intent: Any) -> Slow:
    broker = Slow()
    reconcile.close(intent.part.pk, replace(desks.default(), broker=broker))  # type: ignore[arg-type]
    return broker


def waiting(order: Order) -> Sequence[Slice]:
    return list(order.slices.filter(status__in=("PLANNED", "QUEUED")))


@pytest.mark.parametrize("filled", [0, 300, 1_000])
def test_shares_return_only_when_the_cancel_is_confirmed(filled: int) -> None:
    """A resume before that, and executions that cross the cancel, change nothing."""
    order, intent = resting()
    halt_all()
    assert cancel_slowly(intent).cancels == 1
    halt_all("ACTIVE")
    assert (working(order), waiting(order)) == (1_000, [])

    trades = [execution(intent, "0", filled)] if filled else []
    hear(intent, report(intent, SliceStatus.WORKING, trades))
    assert waiting(order) == []
    hear(intent, report(intent, SliceStatus.CANCELLED, trades))
    order.refresh_from_db()
    assert [part.planned_quantity for part in waiting(order)] == [1_000 - filled] * (filled < 1_000)
    assert order.status == ("FILLED" if filled == 1_000 else "WORKING")
    assert_story_matches(order)


def test_a_bell_that_is_heard_after_the_resume_cancels_nothing() -> None:
    order, intent = resting()
    halt_all()
    halt_all("ACTIVE")
    assert cancel_slowly(intent).cancels == 0
    assert order.slices.get().status == "WORKING"


def test_a_second_bell_does_not_ask_the_broker_again() -> None:
    _, intent = resting()
    halt_all()
    assert [cancel_slowly(intent).cancels for _ in range(2)] == [1, 0]


def test_an_order_that_is_cancelled_while_it_is_held_goes_on_no_more() -> None:
    order, intent = resting()
    halt_all()
    cancel_slowly(intent)
    controls.cancel(order.pk, by="ann", now=desks.default().now())
    hear(intent, report(intent, SliceStatus.CANCELLED))
    order.refresh_from_db()
    assert (order.status, waiting(order)) == ("CANCELLED", [])


def test_the_brokers_words_follow_our_reason() -> None:
    order, intent = resting()
    halt_all()
    cancel_slowly(intent)
    hear(intent, replace(report(intent, SliceStatus.CANCELLED), reason="cancelled by user"))
    assert order.slices.get(sequence=0).reason == "HALTED: SYSTEM by ann: news; cancelled by user"


def test_a_pause_between_claim_and_send_puts_the_slice_off() -> None:
    order = new_order(1_000, 1)
    intent = claim(order.slices.get())
    assert intent is not None
    controls.pause(order.pk, by="ann", now=desks.default().now())
    slices.deliver(intent, desks.default())
    part = order.slices.get()
    assert (part.status, part.reason, part.sent_at) == ("PLANNED", "ORDER_PAUSED", None)


def test_what_never_arrived_is_planned_again_at_a_growing_pause() -> None:
    order, pauses = new_order(1_000, 1), []
    for _ in range(4):
        [part] = waiting(order)
        assert claim(part) is not None
        order.refresh_from_db()
        part.refresh_from_db()
        now = desks.default().now()
        part.order = order
        move_slice(part, SliceStatus.SKIPPED, at=now, reason="NEVER_ARRIVED")
        orders.finish_if_done(order, at=now)
        [part] = waiting(order)
        pauses.append((part.due_at - now).total_seconds())
    assert pauses == [2, 4, 8, 16]


# Nobody knows the price.


class Silent:
    """A source at the outer edge that fails until it is mended."""

    def __init__(self, market: Any, failure: Any) -> None:
        self._market, self.failure = market, failure

    def __getattr__(self, name: str) -> Any:
        return getattr(self._market, name)

    def quote(self, symbol: str, at: datetime) -> Quote | None:
        if isinstance(self.failure, Exception):
            raise self.failure
        known: Quote | None = self._market.quote(symbol, at)
        return self.failure(known) if self.failure else known


OLD = timedelta(hours=1)


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (lambda quote: None, "QUOTE_MISSING"),
        (MarketDataUnavailable("connection refused"), "QUOTE_MISSING"),
        (KeyError("bp"), "QUOTE_MISSING"),
        (lambda quote: replace(quote, at=quote.at - OLD), "QUOTE_STALE"),
        (lambda quote: replace(quote, bid=quote.ask + 1), "QUOTE_CROSSED"),
        (lambda quote: replace(quote, bid=Decimal(0), ask=Decimal(0)), "QUOTE_CROSSED"),
        (lambda quote: replace(quote, ask=quote.ask * 2), "SPREAD_TOO_WIDE"),
    ],
)
@pytest.mark.parametrize("algorithm", ["MARKET", "TWAP", "LIMIT"])
def test_a_slice_waits_while_nobody_knows_the_price(
    failure: Any, code: str, algorithm: str
) -> None:
    limit = {"limit_price": 100} if algorithm == "LIMIT" else {"slices": None}
    order = new_order(10, 1, algorithm=algorithm, **{"slices": None} | limit | one(algorithm))
    usual = desks.default()
    market = Silent(usual.market, failure)
    for _ in range(2):
        part = order.slices.get()
        later = part.due_at + timedelta(milliseconds=1)
        desk = replace(usual, market=market, now=lambda at=later: at)  # type: ignore[arg-type]
        slices.send(part.pk, desk)
        part.refresh_from_db()
        assert (part.status, part.reason.partition(":")[0]) == ("PLANNED", code)
        assert timedelta(seconds=1) <= part.due_at - later < timedelta(seconds=2)  # no hammering

    market.failure = None
    slices.send(part.pk, replace(desk, now=lambda: part.due_at))
    part.refresh_from_db()
    assert part.attempt == 1


def one(algorithm: str) -> dict[str, int]:
    return {"slices": 1} if algorithm == "TWAP" else {}


class NoTape(Silent):
    """Quotes come, bars fail in a way that nobody foresaw."""

    def bars(self, *_: object) -> None:
        raise KeyError("v")


def test_a_capped_slice_waits_while_the_tape_fails() -> None:
    part = new_order(10, 1, max_participation=0.5).slices.get()
    usual = desks.default()
    market: Any = NoTape(usual.market, None)
    slices.send(part.pk, replace(usual, market=market, now=lambda: part.due_at))
    part.refresh_from_db()
    assert (part.status, part.reason) == ("PLANNED", "VOLUME_UNKNOWN: symbol=AAPL")


def test_a_slice_that_waits_long_looks_more_rarely_and_is_one_line_in_the_story() -> None:
    order = new_order(10, 1)
    part, usual = order.slices.get(), desks.default()
    market = Silent(usual.market, lambda quote: replace(quote, at=quote.at - OLD))
    pauses = []
    for _ in range(20):
        moment = part.due_at
        Slice.objects.filter(pk=part.pk).update(status="QUEUED")  # its bell rang
        desk = replace(usual, market=market, now=lambda at=moment: at)  # type: ignore[arg-type]
        slices.send(part.pk, desk)
        part.refresh_from_db()
        pauses.append((part.due_at - moment).total_seconds())
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (1, 5)
    told = order.events.filter(kind__in=("SLICE_DEFERRED", "SLICE_STATUS"))
    assert [event.data["reason"].partition(":")[0] for event in told] == ["QUOTE_STALE"]


def test_when_the_price_comes_back_after_a_slices_own_end_the_next_ones_catch_up() -> None:
    given = trial(all_of)
    usual = given.desk.market
    silent = Silent(usual, lambda quote: None)
    given.desk = replace(given.desk, market=silent)  # type: ignore[arg-type]
    until(given, TEN + 15)
    assert given.sent == []
    silent.failure = None
    assert finished(given) == ("FILLED", 1_000)
    assert max(size for _, size in given.sent) < 150


def test_an_order_that_ends_without_a_price_says_so() -> None:
    given = trial(algorithm="MARKET")
    silent = Silent(given.desk.market, lambda quote: None)
    given.desk = replace(given.desk, market=silent)  # type: ignore[arg-type]
    assert finished(given) == ("EXPIRED", 0)
    assert given.order.status_reason == (
        "1,000 of 1,000 not executed: held back as the market has no quote for"
        " the symbol (QUOTE_MISSING)"
    )


def test_a_note_that_a_bell_rang_is_for_its_moment_alone() -> None:
    """The slice was put off after the bell was published and before that was noted."""
    part = new_order(parts=2).slices.get(sequence=0)
    Slice.objects.filter(pk=part.pk).update(
        status="PLANNED", enqueued_wall=None, due_at=part.due_at + MINUTE
    )
    bells.ring_due([(part.pk, part.due_at)])
    later = Slice.objects.get(pk=part.pk)
    assert (later.status, later.enqueued_wall) == ("PLANNED", None)
    bells.ring_due([(later.pk, later.due_at)])
    assert Slice.objects.get(pk=part.pk).status == "QUEUED"


def test_sent_at_is_when_the_request_left() -> None:
    order = new_order(parts=1)
    part = order.slices.get()
    usual, left = desks.default(), part.due_at + timedelta(milliseconds=37)
    intent = claim(part)
    assert intent is not None
    slices.deliver(intent, replace(usual, now=lambda: left))
    part.refresh_from_db()
    assert (part.sent_at, part.lateness_ms) == (left, 37)


def test_what_did_not_leave_has_no_moment_of_leaving() -> None:
    order = new_order(parts=1)
    intent = claim(order.slices.get())
    assert intent is not None
    busy = outcomes.NotSent("BROKER_UNAVAILABLE: refused", retry=True)
    outcomes.record(
        order.pk, intent.part.pk, intent.token, busy, desks.default(), left_at=order.start_at
    )
    part = order.slices.get()
    assert (part.status, part.sent_at, part.lateness_ms) == ("PLANNED", None, None)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("policy", ["LEAVE", "FORCE", "EXTEND"])
def test_whatever_is_halted_and_paused_the_books_close(seed: int, policy: str) -> None:
    """Each step checks F + W <= Q; the order ends filled, as its last minutes are quiet."""
    chance = random.Random(f"{policy}{seed}")
    given = trial(lambda size, minute: chance.choice([0, size // 3]), residual=policy)
    minute = float(TEN)
    while minute < TEN + 40:
        minute += chance.uniform(1, 5)
        until(given, minute)
        halt, pause = Halted(given, minute), chance.random() < 0.5
        if pause:
            controls.pause(given.order.pk, by="ann", now=at_minute(minute))
        minute += chance.uniform(0.1, 5)
        until(given, minute)
        halt.resume(minute)
        if pause:
            controls.resume(given.order.pk, by="ann", now=at_minute(minute))
            given.order.refresh_from_db()
    given.answer = all_of
    assert finished(given) == ("FILLED", 1_000)
