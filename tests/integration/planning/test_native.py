"""Orders that the broker works by an algorithm of its own: taken or refused, and what would leave.

Replayed bars at 900 dollars with a spread, at the broker's own ticket; nothing is sent.
"""

from dataclasses import replace
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from execution.booking import execution_reports
from execution.broker.ibkr.adapter import InteractiveBrokers
from execution.broker.order_manager import OrderManager
from execution.context import Context
from execution.domain.lifecycle import OrderStatus, SliceStatus
from execution.domain.signal import InvalidSignal
from execution.entry import amend, order_controls
from execution.entry.order_controls import NotAllowed
from execution.models import Order, Slice
from execution.orders.journal import move_slice
from execution.orders.locks import slice_of
from execution.risk import kill_switch, limits
from execution.sending import delivery, slices
from execution.sending.slices import Intent
from tests.integration.api.test_api import client_of
from tests.integration.order_steps import receive, report
from tests.integration.rebuild import assert_audit_trail_matches
from tests.integration.thin_market import at_minute, context_at, order_of, trade

pytestmark = pytest.mark.django_db

TEN, EVENING = 30, 400  # minutes from the open
WINDOW = {"startTime": "20240612-14:00:00", "endTime": "20240612-15:00:00"}
VWAP: dict[str, Any] = {"native": "Vwap", "native_parameters": {"maxPctVol": 0.2}}
MID = Decimal(900)
HELD = "HALTED: SYSTEM by ann: news"


@pytest.fixture(autouse=True)
def prices() -> None:
    trade([900.0] * 390)


def context(minute: float = TEN, **more: Any) -> Context:
    """At Interactive Brokers, whose gateway nobody asks."""
    made = context_at(at_minute(minute), **more)
    manager = OrderManager(made.config, InteractiveBrokers(config=made.config))
    return replace(made, broker=manager)


def taken(context: Context, **terms: Any) -> Order:
    order = order_of(context, **{"algorithm": None, **VWAP, **terms})
    assert order.status == OrderStatus.ACCEPTED, order.status_reason
    return order


def claimed(order: Order, context: Context) -> Intent | None:
    part = order.slices.select_related("order").get()
    quote = context.market.quote(order.symbol, context.now())
    return slices.claim(part, quote, context, now=context.now())


def refused(context: Context, **terms: Any) -> Order:
    order = order_of(context, **{"algorithm": None, **VWAP, **terms})
    assert order.status == OrderStatus.DENIED
    assert not order.slices.exists()
    assert "native" not in order.routing
    return order


def test_the_whole_order_is_one_child_that_carries_the_algorithm() -> None:
    at = context()
    order = taken(at)
    assert (order.algorithm, order.slice_count) == ("LIMIT", 1)
    assert order.parameters == {"native": "Vwap", "native_parameters": {"maxPctVol": "0.2"}}
    intent = claimed(order, at)
    assert intent is not None
    ticket, part = intent.ticket, Slice.objects.get(order=order)
    assert (ticket.quantity, part.end_at, ticket.extended_hours) == (1_000, order.end_at, False)
    assert ticket.native is not None
    assert ticket.native.as_json() == {
        "name": "Vwap",
        "parameters": {"maxPctVol": "0.2", "noTakeLiq": "0", "allowPastEndTime": "0", **WINDOW},
    }
    assert part.explanation["native"] == "Vwap"
    assert_audit_trail_matches(order)


@pytest.mark.parametrize(
    ("side", "limit", "leaves_at"),
    [
        ("BUY", None, MID * Decimal("1.05")),  # without a limit: the collar's edge
        ("SELL", None, MID * Decimal("0.95")),
        ("BUY", Decimal("910"), Decimal("910")),
        ("SELL", Decimal("890"), Decimal("890")),
        ("BUY", Decimal("850"), Decimal("850")),
    ],
)
def test_its_limit_is_the_orders_and_never_beyond_the_collar(
    side: str, limit: Decimal | None, leaves_at: Decimal
) -> None:
    at = context()
    intent = claimed(taken(at, side=side, limit_price=limit), at)
    assert intent is not None
    assert intent.ticket.limit_price == leaves_at


def test_a_limit_beyond_the_collar_is_denied_as_for_any_order() -> None:
    assert refused(context(), limit_price=960).status_reason.startswith("PRICE_OUTSIDE_COLLAR")


@pytest.mark.parametrize(
    ("terms", "value"),
    [
        ({}, "945000.00"),  # what leaves may cost so much, the collar's 5 % above the mid
        ({"limit_price": 925}, "925000.00"),
        ({"limit_price": 915}, None),
        ({"side": "SELL"}, None),
    ],
)
def test_its_value_is_bounded_at_the_worst_price(terms: dict[str, Any], value: str | None) -> None:
    bound = {"scope": "SYSTEM", "key": "", "field": "max_order_notional", "by": "ann"}
    limits.set_limit(**bound, value=Decimal(920_000))
    at = context()
    if value is None:
        assert claimed(taken(at, **terms), at) is not None
    else:
        reason = refused(at, **terms).status_reason
        assert reason == f"NOTIONAL_EXCEEDS_MAX: max=920000.00, notional={value}"


@pytest.mark.parametrize(
    ("configured", "terms", "told"),
    [
        (None, {}, "0.2"),
        (0.15, {}, "0.15"),
        (None, {"max_participation": 0.12}, "0.12"),
        (0.15, {"max_participation": 0.12}, "0.12"),
        (0.3, {}, "0.2"),
        (0.3, {"native_parameters": None}, "0.3"),
    ],
)
def test_a_participation_cap_becomes_the_algorithms_share_and_cuts_no_child(
    configured: float | None, terms: dict[str, Any], told: str
) -> None:
    at = context(max_participation=configured)
    intent = claimed(taken(at, **terms), at)
    assert intent is not None
    assert intent.ticket.quantity == 1_000
    assert intent.ticket.native is not None
    assert dict(intent.ticket.native.parameters)["maxPctVol"] == told


@pytest.mark.parametrize(
    ("configured", "terms", "code"),
    [
        (0.05, {}, "NATIVE_CAP: native=Vwap, cap=0.05, least=0.1"),
        (None, {"max_participation": 0.05}, "NATIVE_CAP"),
        (0.3, {"native": "Twap", "native_parameters": None}, "NATIVE_CAP"),
    ],
)
def test_a_cap_that_it_cannot_keep_denies(
    configured: float | None, terms: dict[str, Any], code: str
) -> None:
    assert refused(context(max_participation=configured), **terms).status_reason.startswith(code)


def test_what_starts_at_once_has_the_configured_cap_as_little_as_a_limit_order() -> None:
    taken(context(max_participation=0.3), native="Adaptive", native_parameters=None)


def test_a_broker_without_algorithms_denies() -> None:
    order = refused(context_at(at_minute(TEN)))
    assert order.status_reason == "NATIVE_UNAVAILABLE: native=Vwap, broker=paper"


def test_outside_regular_hours_it_is_denied() -> None:
    order = refused(context(EVENING), limit_price=900)
    assert order.status_reason.startswith("AFTER_HOURS_LIMIT_ONLY: algorithm=Vwap")


def test_a_share_that_nobody_says_is_asked_for_and_nothing_is_stored() -> None:
    with pytest.raises(InvalidSignal, match="native_parameters: maxPctVol is needed"):
        taken(context(), native_parameters=None)
    assert not Order.objects.exists()


def test_without_a_window_it_works_until_the_close() -> None:
    order = taken(context(), window_minutes=None)
    told = order.routing["native"]["parameters"]
    assert told["endTime"] == "20240612-20:00:00"


def test_it_is_cancelled_but_not_amended() -> None:
    at = context()
    order = taken(at)
    with pytest.raises(NotAllowed, match="worked by the broker's own Vwap"):
        amend.amend(order.pk, {"quantity": 2_000}, version=1, by="ann", context=at)
    order.refresh_from_db()
    assert (order.quantity, order.version) == (1_000, 1)
    ended = order_controls.cancel(order.pk, by="ann", now=at.now())
    assert ended.status == OrderStatus.CANCELLED


def test_a_broker_that_was_changed_meanwhile_is_not_sent_the_bare_limit() -> None:
    order = taken(context())
    paper = context_at(at_minute(TEN))
    intent = claimed(order, paper)
    assert intent is not None
    delivery.transmit(intent, paper)
    order.refresh_from_db()
    part = order.slices.get()
    assert (part.status, order.status) == ("REJECTED", "REJECTED")
    assert part.reason.startswith("NATIVE_UNAVAILABLE")


def test_every_door_knows_it() -> None:
    """Here they end in the paper broker's refusal."""
    signal = {"symbol": "AAPL", "side": "BUY", "quantity": 10, **VWAP}
    answer = client_of("Trader").post("/api/v1/orders/", signal, format="json")
    assert answer.json()["status_reason"].startswith("NATIVE_UNAVAILABLE")
    words = ["BUY", "10", "AAPL", "--native=Vwap", "--native-parameters=maxPctVol=0.2"]
    said = StringIO()
    call_command("preview", *words, stdout=said)
    assert "NATIVE_UNAVAILABLE" in said.getvalue()
    with pytest.raises(CommandError, match="maxPctVol must be a share"):
        call_command("preview", *words[:-1], "--native-parameters=maxPctVol=2")


def test_what_a_halt_cancels_goes_to_the_same_algorithm_and_starts_when_it_leaves() -> None:
    at = context()
    order = taken(at)
    first = claimed(order, at)
    assert first is not None
    receive(first, report(first, SliceStatus.WORKING))
    kill_switch.set_state(scope="SYSTEM", key="", state="HALTED", by="ann", reason="news")
    later = context(TEN + 10)
    move_slice(slice_of(order, first.part.pk), SliceStatus.CANCELLING, at=later.now(), reason=HELD)
    execution_reports.book_report(first.part, report(first, SliceStatus.CANCELLED), later)
    kill_switch.set_state(scope="SYSTEM", key="", state="ACTIVE", by="ann", reason="over")

    part = order.slices.select_related("order").get(sequence=1)
    quote = later.market.quote(order.symbol, later.now())
    again = slices.claim(part, quote, later, now=part.due_at)
    assert again is not None
    assert again.ticket.native is not None
    told = again.ticket.native.as_json()["parameters"]
    assert told == {
        "maxPctVol": "0.2",
        "noTakeLiq": "0",
        "allowPastEndTime": "0",
        **WINDOW,
        "startTime": "20240612-14:10:01",
    }
    assert (again.ticket.quantity, part.end_at) == (1_000, order.end_at)
