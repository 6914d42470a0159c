"""A halt or a pause holds an order's shares back and kills nothing: they return to the plan, and
leave after the resume while the order has time."""

import random
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from deepstack.config import Scheduling
from execution.booking import completion
from execution.domain.lifecycle import SliceStatus
from execution.entry import order_controls
from execution.orders.event_text import headline
from execution.orders.journal import move_slice
from tests.integration.halted_market import FLAT, TEN, Halted, finished, returned, trial, until
from tests.integration.thin_market import (
    STEP,
    Trial,
    all_of,
    at_minute,
    context_at,
    order_of,
    trade,
)

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "terms",
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
    ids=lambda terms: " ".join(map(str, terms.values())),
)
def test_what_a_halt_cancels_leaves_again_after_the_resume(terms: dict[str, Any]) -> None:
    given = trial(**terms)
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


def test_the_audit_trail_says_the_cancel_and_the_return_in_words() -> None:
    given = trial(algorithm="LIMIT")
    until(given, TEN + 2)
    Halted(given, TEN + 2)
    events = given.order.events.order_by("pk")
    said = [headline(event.kind, event.data, "BUY") for event in events]
    assert "slice 0: WORKING -> CANCELLING: HALTED: SYSTEM by ann: news" in said
    assert "slice 0: CANCELLING -> CANCELLED: HALTED: SYSTEM by ann: news" in said
    assert any(line.startswith("1,000 shares return to the plan, until ") for line in said)


def test_a_pause_cancels_what_works_and_the_resume_sends_it_again() -> None:
    given = trial(algorithm="LIMIT")
    until(given, TEN + 2)
    order_controls.pause(given.order.pk, by="ann", now=at_minute(TEN + 2), reason="lunch")
    given.hold(at_minute(TEN + 2))
    given.order.refresh_from_db()
    part = given.order.slices.get()
    assert (given.order.status, part.status) == ("PAUSED", "CANCELLED")
    assert part.reason == "PAUSED: lunch"
    assert returned(given.order) == []  # while it is paused it may still be amended

    order_controls.resume(given.order.pk, by="ann", now=at_minute(TEN + 9))
    given.context = replace(given.context, now=lambda: at_minute(TEN + 9))
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
    order_controls.pause(given.order.pk, by="ann", now=at_minute(TEN + 2), reason="lunch")
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
    completion.expire(given.order.pk, at=given.order.end_at)
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
    context = context_at(at_minute(TEN), scheduling=scheduling)
    order = order_of(context, quantity=3_000, slices=30, max_participation=0.1)
    given = Trial(order, context, all_of)
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
            order_controls.pause(given.order.pk, by="ann", now=at_minute(minute))
        minute += chance.uniform(0.1, 5)
        until(given, minute)
        halt.resume(minute)
        if pause:
            order_controls.resume(given.order.pk, by="ann", now=at_minute(minute))
            given.order.refresh_from_db()
    given.answer = all_of
    assert finished(given) == ("FILLED", 1_000)
