"""A slice waits while nobody knows enough to send it, and its times tell when it left."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from execution import context as contexts
from execution import task_queue
from execution.market.base import MarketDataUnavailable, Quote
from execution.models import Slice
from execution.sending import delivery, outcomes
from tests.integration.halted_market import TEN, finished, trial, until
from tests.integration.order_steps import claim, new_order, send
from tests.integration.thin_market import (
    MINUTE,
    all_of,
)

pytestmark = pytest.mark.django_db


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
    usual = contexts.default()
    market = Silent(usual.market, failure)
    for _ in range(2):
        part = order.slices.get()
        later = part.due_at + timedelta(milliseconds=1)
        context = replace(usual, market=market, now=lambda at=later: at)  # type: ignore[arg-type]
        send(part.pk, context)
        part.refresh_from_db()
        assert (part.status, part.reason.partition(":")[0]) == ("PLANNED", code)
        assert timedelta(seconds=1) <= part.due_at - later < timedelta(seconds=2)  # no hammering

    market.failure = None
    send(part.pk, replace(context, now=lambda: part.due_at))
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
    usual = contexts.default()
    market: Any = NoTape(usual.market, None)
    send(part.pk, replace(usual, market=market, now=lambda: part.due_at))
    part.refresh_from_db()
    assert (part.status, part.reason) == ("PLANNED", "VOLUME_UNKNOWN: symbol=AAPL")


def test_a_slice_that_waits_long_is_read_more_rarely_and_is_one_line_in_the_audit_trail() -> None:
    order = new_order(10, 1)
    part, usual = order.slices.get(), contexts.default()
    market = Silent(usual.market, lambda quote: replace(quote, at=quote.at - OLD))
    pauses = []
    for _ in range(20):
        moment = part.due_at
        Slice.objects.filter(pk=part.pk).update(status="QUEUED")  # its task was published
        context = replace(usual, market=market, now=lambda at=moment: at)  # type: ignore[arg-type]
        send(part.pk, context)
        part.refresh_from_db()
        pauses.append((part.due_at - moment).total_seconds())
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (1, 5)
    told = order.events.filter(kind__in=("SLICE_DEFERRED", "SLICE_STATUS"))
    assert [event.data["reason"].partition(":")[0] for event in told] == ["QUOTE_STALE"]


def test_when_the_price_comes_back_after_a_slices_own_end_the_next_ones_catch_up() -> None:
    given = trial(all_of)
    usual = given.context.market
    silent = Silent(usual, lambda quote: None)
    given.context = replace(given.context, market=silent)  # type: ignore[arg-type]
    until(given, TEN + 15)
    assert given.sent == []
    silent.failure = None
    assert finished(given) == ("FILLED", 1_000)
    assert max(size for _, size in given.sent) < 150


def test_an_order_that_ends_without_a_price_says_so() -> None:
    given = trial(algorithm="MARKET")
    silent = Silent(given.context.market, lambda quote: None)
    given.context = replace(given.context, market=silent)  # type: ignore[arg-type]
    assert finished(given) == ("EXPIRED", 0)
    assert given.order.status_reason == (
        "1,000 of 1,000 not executed: held back as the market has no quote for"
        " the symbol (QUOTE_MISSING)"
    )


def test_a_note_that_a_task_was_enqueued_is_for_its_moment_alone() -> None:
    """The slice was put off after the task was published and before that was noted."""
    part = new_order(parts=2).slices.get(sequence=0)
    Slice.objects.filter(pk=part.pk).update(
        status="PLANNED", enqueued_at_real=None, due_at=part.due_at + MINUTE
    )
    task_queue.enqueue_due([(part.pk, part.due_at)])
    later = Slice.objects.get(pk=part.pk)
    assert (later.status, later.enqueued_at_real) == ("PLANNED", None)
    task_queue.enqueue_due([(later.pk, later.due_at)])
    assert Slice.objects.get(pk=part.pk).status == "QUEUED"


def test_sent_at_is_when_the_request_left() -> None:
    order = new_order(parts=1)
    part = order.slices.get()
    usual, left = contexts.default(), part.due_at + timedelta(milliseconds=37)
    intent = claim(part)
    assert intent is not None
    delivery.transmit(intent, replace(usual, now=lambda: left))
    part.refresh_from_db()
    assert (part.sent_at, part.lateness_ms) == (left, 37)


def test_what_did_not_leave_has_no_moment_of_leaving() -> None:
    order = new_order(parts=1)
    intent = claim(order.slices.get())
    assert intent is not None
    busy = outcomes.NotSent("BROKER_UNAVAILABLE: refused", retry=True)
    outcomes.record(
        order.pk, intent.part.pk, intent.token, busy, contexts.default(), left_at=order.start_at
    )
    part = order.slices.get()
    assert (part.status, part.sent_at, part.lateness_ms) == ("PLANNED", None, None)
