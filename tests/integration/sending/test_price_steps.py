"""A price between two ticks: the order keeps what was written, the broker gets a whole tick."""

from decimal import Decimal as D
from typing import Any

import pytest

from execution import context as contexts
from execution.domain.signal import InvalidSignal
from execution.entry import acceptance, amend
from execution.market.base import Quote
from execution.models import Order
from execution.sending import slices

pytestmark = pytest.mark.django_db


def limit_sent(order: Order, *, bid: str, ask: str) -> D:
    part = order.slices.order_by("sequence")[0]
    quote = Quote("AAPL", part.due_at, D(bid), D(ask), 500, 500)
    intent = slices.claim(part, quote, contexts.default(), now=part.due_at)
    assert intent is not None
    return intent.ticket.limit_price


def order_of(side: str, **terms: Any) -> Order:
    signal: dict[str, Any] = {"symbol": "AAPL", "side": side, "quantity": 100, "window_minutes": 60}
    return acceptance.accept(signal | terms, contexts.default())


@pytest.mark.parametrize(
    ("side", "terms", "bid", "ask", "sent"),
    [
        ("BUY", {"urgency": "LOW", "limit_price": "19.8055"}, "19.80", "19.82", "19.80"),
        ("SELL", {"urgency": "LOW", "limit_price": "0.99995"}, "0.9990", "0.9999", "1.00"),
        ("SELL", {"algorithm": "TWAP", "slices": 2, "limit_price": "0.99995"},
         "0.9990", "0.9999", "1.00"),
        ("BUY", {"algorithm": "TWAP", "slices": 2, "limit_price": "1.00004"},
         "1.00", "1.02", "1.00"),
        ("BUY", {"algorithm": "MARKET", "limit_price": "19.8099"}, "19.79", "19.81", "19.80"),
        ("BUY", {"algorithm": "LIMIT", "limit_price": "0.45665"}, "0.4560", "0.4570", "0.4566"),
        # The near touch of a source that tells more digits than the exchange knows.
        ("BUY", {"algorithm": "LIMIT", "aggressive_after": 0.5}, "19.8055", "19.82", "19.80"),
        ("SELL", {"algorithm": "LIMIT", "aggressive_after": 0.5}, "19.80", "19.8155", "19.82"),
        ("BUY", {"algorithm": "TWAP", "slices": 2, "would_price": "19.8055"},
         "19.79", "19.80", "19.80"),
        ("BUY", {"algorithm": "LIMIT", "limit_price": "19.80"}, "19.80", "19.82", "19.80"),
    ],
)  # fmt: skip
def test_every_limit_leaves_on_the_tick_away_from_aggression(
    side: str, terms: dict[str, Any], bid: str, ask: str, sent: str
) -> None:
    order = order_of(side, **terms | {"limit_price": None})
    # The symbol of the quotes given here trades elsewhere than the one of the market at entry.
    Order.objects.filter(pk=order.pk).update(limit_price=terms.get("limit_price"))
    assert str(limit_sent(order, bid=bid, ask=ask)) == sent


def test_what_was_rounded_is_told_with_the_order_and_with_its_child() -> None:
    order = order_of("BUY", algorithm="LIMIT", limit_price="19.8055")
    note = {"limit_price": {"asked": "19.8055", "sent": "19.80", "tick": "0.01"}}
    assert (order.limit_price, order.routing["rounded"]) == (D("19.8055"), note)
    limit_sent(order, bid="19.80", ask="19.82")
    told = order.slices.get().explanation
    assert told["rounded"] == {"limit_price": "19.8055", "sent": "19.80", "tick": "0.01"}


def test_an_amended_limit_is_rounded_and_told_alike() -> None:
    order = order_of("BUY", algorithm="TWAP", slices=2, limit_price="140")
    assert "rounded" not in order.routing
    changed = amend.amend(
        order.pk, {"limit_price": "19.8055"}, version=1, by="trader", context=contexts.default()
    )
    changed.refresh_from_db()
    assert changed.routing["rounded"]["limit_price"]["sent"] == "19.80"
    event = changed.events.get(kind="ORDER_AMENDED")
    assert event.data["rounded"]["limit_price"]["asked"] == "19.8055"
    part = changed.slices.exclude(status="CANCELLED").order_by("sequence")[0]
    quote = Quote("AAPL", part.due_at, D("19.79"), D("19.81"), 500, 500)
    intent = slices.claim(part, quote, contexts.default(), now=part.due_at)
    assert intent is not None
    assert intent.ticket.limit_price == D("19.80")


@pytest.mark.parametrize("field", ["limit_price", "would_price"])
def test_a_buy_below_the_smallest_tick_is_refused_by_its_name(field: str) -> None:
    with pytest.raises(InvalidSignal) as refused:
        order_of("BUY", algorithm="TWAP", slices=2, **{field: "0.00004"})
    assert "0.0001" in refused.value.errors[field]
    assert not Order.objects.exists()
