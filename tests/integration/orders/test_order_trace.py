"""What the trace of an order shows of each thing that may become of a slice."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal

import pytest
from opentelemetry.sdk.trace import TracerProvider

from deepstack.config import current
from deepstack.observability.tracing import tracing
from execution import context as contexts
from execution.domain.event_kinds import EventKind
from execution.domain.lifecycle import SliceStatus
from execution.entry import acceptance
from execution.models import Order, Slice
from execution.orders import caller
from execution.orders.journal import record_event
from execution.orders.locks import locked
from execution.sending import delivery, resolver, slices
from execution.sending.slices import NO_TAPE, Due, Intent
from tests.integration.order_steps import claim, execution, new_order, quote_at, receive, report
from tests.telemetry_receiver import Received, Span, receiving

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.any_date]

TAKEN = 1_700_000_000_000_000_000  # when a worker took the task, in nanoseconds


@pytest.fixture
def received() -> Iterator[Received]:
    """Spans are there once `told` has been called."""
    with receiving() as receiver:
        tracing.begin(
            current().model_copy(update={"otel_exporter_otlp_endpoint": receiver.endpoint})
        )
        yield receiver
        tracing.end()


def told(received: Received, order: Order) -> list[Span]:
    """Of the order, by name and time; nothing is traced afterwards."""
    tracing.end()
    found = [span for span in received.spans if span.about["deepstack.order.id"] == order.pk]
    assert len({span.trace for span in found}) == 1
    return sorted(found, key=lambda span: (span.began, span.name))


def one(spans: list[Span], name: str) -> Span:
    [span] = [span for span in spans if span.name == name]
    return span


def first(order: Order) -> Slice:
    return order.slices.select_related("order").get(sequence=0)


def test_a_denied_order_is_a_trace_of_its_own(received: Received) -> None:
    order = new_order(quantity=999_999_999, parts=2)
    spans = told(received, order)
    assert {span.name for span in spans} == {"accept order", "check and plan", "store order"}
    root = one(spans, "accept order")
    assert root.about["deepstack.outcome"] == "DENIED"
    assert {span.parent for span in spans if span is not root} == {root.span}
    assert root.began <= one(spans, "check and plan").ended == one(spans, "store order").began


def test_a_signal_that_comes_again_is_not_accepted_again(received: Received) -> None:
    order = new_order(client_reference="once")
    assert new_order(client_reference="once").pk == order.pk
    assert one(told(received, order), "accept order")


def test_each_signal_of_a_batch_is_a_trace(received: Received) -> None:
    signal = {"symbol": "AAPL", "side": "BUY", "quantity": 100, "algorithm": "TWAP"}
    batch = [signal, signal | {"symbol": "MSFT"}]
    made = acceptance.accept_all(batch, contexts.default())
    tracing.end()
    roots = [span for span in received.spans if span.name == "accept order"]
    assert {span.about["deepstack.order.id"] for span in roots} == {order.pk for order in made}
    assert len({span.trace for span in roots}) == 2
    assert {span.about["deepstack.batch.orders"] for span in roots} == {2}


def test_whoever_asked_is_linked(received: Received) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    with caller.acting(caller.Via.API, traceparent=f"00-{trace}-b7ad6b7169203331-01"):
        order = new_order()
    assert one(told(received, order), "accept order").links == (trace,)


def test_the_span_of_a_strategy_in_python_is_linked(received: Received) -> None:
    own = TracerProvider(shutdown_on_exit=False).get_tracer("strategy")
    with own.start_as_current_span("rebalance") as span:
        order = new_order()
    root = one(told(received, order), "accept order")
    assert root.links == (f"{span.get_span_context().trace_id:032x}",)
    assert root.trace != root.links[0]
    assert root.parent == ""


def due(order: Order) -> Due:
    part = first(order)
    return Due(part, quote_at(part.due_at), NO_TAPE, contexts.default(), part.due_at, TAKEN)


def test_slices_of_a_set_have_a_claim_each_in_their_own_trace(received: Received) -> None:
    made = [new_order(symbol=symbol) for symbol in ("AAPL", "MSFT", "GOOGL")]
    assert all(isinstance(each, Intent) for each in slices.claim_together(list(map(due, made))))
    tracing.end()
    claims = [span for span in received.spans if span.name == "claim slice"]
    assert {span.about["deepstack.order.id"] for span in claims} == {order.pk for order in made}
    assert len({span.trace for span in claims}) == len(claims) == 3
    assert {span.about["deepstack.set.slices"] for span in claims} == {3}


def test_a_slice_without_an_intent_ends_its_work(received: Received) -> None:
    order = new_order()
    without_quote = replace(due(order), quote=None)
    assert slices.claim_together([without_quote]) == [None]
    spans = told(received, order)
    work = one(spans, "work slice")
    assert (work.about["deepstack.outcome"], work.began) == ("NOT_SENT", TAKEN)
    assert one(spans, "claim slice").parent == work.span


def sent(order: Order) -> Intent:
    intent = claim(first(order))
    assert intent
    leaving = delivery.Leaving(intent, contexts.default(), taken=TAKEN)
    delivery.transmit_together([leaving], lambda _: None)
    return intent


def test_a_fill_that_comes_by_news_belongs_to_the_work_that_sent_it(received: Received) -> None:
    order = new_order()
    intent = sent(order)
    whole = execution(intent, "1", intent.ticket.quantity)
    receive(intent, report(intent, SliceStatus.FILLED, [whole]))
    receive(intent, report(intent, SliceStatus.FILLED, [whole]))  # again: nothing is booked
    spans = told(received, order)
    work, fill = one(spans, "work slice"), one(spans, "book fill")
    assert (work.began, work.parent) == (TAKEN, one(spans, "accept order").span)
    assert fill.parent == one(spans, "send to broker").parent == work.span
    assert fill.about["deepstack.fill.quantity"] == intent.ticket.quantity
    assert Decimal(str(fill.about["deepstack.fill.price"])) == Decimal(150)


def test_a_slice_that_is_put_off_is_worked_again_under_another_span(received: Received) -> None:
    order = new_order()
    part = first(order)
    before = part.due_at
    assert slices.claim(part, None, contexts.default(), now=before) is None
    assert first(order).due_at > before
    sent(order)
    spans = told(received, order)
    put_off = one(spans, "put slice off")
    assert (put_off.about["deepstack.outcome"], put_off.parent) == (
        "QUOTE_MISSING",
        one(spans, "accept order").span,
    )
    assert one(spans, "work slice").about["deepstack.slice.due_at"] != before.isoformat()


def test_what_is_rolled_back_is_not_told(received: Received) -> None:
    order = new_order()
    with suppress(ZeroDivisionError), locked(order.pk) as row:
        facts = {"slice": 0, "reason": "QUOTE_MISSING"}
        record_event(row, EventKind.SLICE_DEFERRED, facts, at=order.start_at, part=first(order))
        raise ZeroDivisionError
    assert "put slice off" not in {span.name for span in told(received, order)}


def test_the_words_of_a_person_stay_here(received: Received) -> None:
    order = new_order()
    with locked(order.pk) as row:
        facts = {"slice": 0, "reason": "ann says: sell the house"}
        record_event(row, EventKind.SLICE_DEFERRED, facts, at=order.start_at, part=first(order))
    assert one(told(received, order), "put slice off").about["deepstack.outcome"] == "OTHER"


def test_a_look_up_that_finds_nothing_is_told_as_such(received: Received) -> None:
    order = new_order()
    intent = claim(first(order))
    assert intent
    Slice.objects.filter(pk=intent.part.pk).update(status=SliceStatus.UNKNOWN)
    resolver.resolve(intent.part.pk, contexts.default())
    look_up = one(told(received, order), "look up at broker")
    assert (look_up.about["deepstack.outcome"], look_up.failed) == ("NOT_FOUND", False)
