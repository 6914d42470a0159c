"""What an order is worth is decided by the market, not by the price that came with the signal."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal as D
from importlib import import_module
from io import StringIO
from typing import Any

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command

from execution import context as contexts
from execution import heartbeat
from execution.entry import acceptance, amend
from execution.entry.order_controls import NotAllowed
from execution.entry.preview import preview
from execution.market.simulated import SimulatedMarket
from execution.models import Heartbeat, Order
from execution.sending import slices
from tests.integration.api.test_api import client_of
from tests.integration.order_steps import new_order
from tests.integration.risk.priced import (
    Crossed,
    Old,
    Silent,
    on,
    quote_of,
    told,
    tried,
    with_limits,
)

pytestmark = pytest.mark.django_db

SLIP = {"symbol": "AAPL", "side": "BUY", "quantity": 60_000, "decision_price": "0.15"}

OFF = "DECISION_PRICE_OFF_MARKET"


@pytest.mark.parametrize("decision", ["0.15", "1.5", "15", "1500", "150000"])
def test_a_mistyped_price_is_denied_with_both_prices_and_the_collar(decision: str) -> None:
    order = acceptance.accept(
        SLIP | {"quantity": 100, "decision_price": decision}, contexts.default()
    )
    assert told(order) == f"DENIED {OFF}"
    numbers = order.routing["denial"]["numbers"]
    assert numbers["decision_price"] == decision
    assert numbers["max"] == "0.10"
    assert 130 < float(numbers["bid"]) < float(numbers["ask"]) < 170
    assert order.decision_within_collar is False


def test_the_price_of_the_guide_passes() -> None:
    for symbol, price in (("AAPL", 150), ("MSFT", 330), ("GOOGL", 125)):
        order = acceptance.accept(
            {"symbol": symbol, "side": "BUY", "quantity": 100, "decision_price": price},
            contexts.default(),
        )
        assert order.status == "ACCEPTED"
        assert order.decision_within_collar is True


def test_the_collar_is_configurable() -> None:
    context = with_limits(decision_collar=D("0.0000001"))
    assert told(acceptance.accept(SLIP | {"decision_price": "100"}, context)) == f"DENIED {OFF}"
    context = with_limits(decision_collar=D("0.9999"))
    assert acceptance.accept(SLIP | {"decision_price": "1.5"}, context).status == "ACCEPTED"


@pytest.mark.parametrize("decision", [None, "1.5", "150", "15000"])
@pytest.mark.parametrize("terms", [{}, {"algorithm": "TWAP", "slices": 10}, {"urgency": "LOW"}])
def test_a_mistyped_price_passes_no_limit_on_value(
    decision: str | None, terms: dict[str, Any]
) -> None:
    signal = {"symbol": "AAPL", "side": "BUY", "quantity": 1_000, "decision_price": decision}
    order = acceptance.accept(signal | terms, with_limits(max_order_notional=D(20_000)))
    assert told(order) == "DENIED NOTIONAL_EXCEEDS_MAX"
    assert 130_000 < float(order.routing["denial"]["numbers"]["notional"]) < 170_000


@pytest.mark.parametrize(
    ("word", "changes", "reason"),
    [
        ("an absurd limit to buy", {"limit_price": 150_000}, "NOTIONAL_EXCEEDS_MAX"),
        ("a patient limit to buy", {"limit_price": "1.5"}, "NOTIONAL_EXCEEDS_MAX"),
        ("an absurd limit to sell", {"side": "SELL", "limit_price": 1}, "NOTIONAL_EXCEEDS_MAX"),
        ("POV", {"algorithm": "POV", "decision_price": 2}, "NOTIONAL_EXCEEDS_MAX"),
        ("IS", {"algorithm": "IS", "decision_price": 2}, "NOTIONAL_EXCEEDS_MAX"),
        (
            "a would price",
            {"algorithm": "TWAP", "decision_price": 2, "would_price": 2},
            "NOTIONAL_EXCEEDS_MAX",
        ),
    ],
)
def test_no_other_price_of_the_caller_passes_it(
    word: str, changes: dict[str, Any], reason: str
) -> None:
    signal = {"symbol": "AAPL", "side": "BUY", "quantity": 1_000, "decision_price": None}
    order = acceptance.accept(signal | changes, with_limits(max_order_notional=D(20_000)))
    assert told(order) == f"DENIED {reason}"


@pytest.mark.parametrize(
    ("side", "mistyped", "meant"), [("BUY", "1500", "140"), ("SELL", "15", "160")]
)
def test_a_mistyped_would_price_does_not_have_all_taken_at_once(
    side: str, mistyped: str, meant: str
) -> None:
    signal = {"symbol": "AAPL", "side": side, "quantity": 100, "algorithm": "TWAP", "slices": 10}
    order = acceptance.accept(signal | {"would_price": mistyped}, contexts.default())
    assert told(order) == "DENIED WOULD_PRICE_OFF_MARKET"
    numbers = order.routing["denial"]["numbers"]
    assert (numbers["would_price"], numbers["max"]) == (mistyped, "0.10")
    assert acceptance.accept(signal | {"would_price": meant}, contexts.default()).status == (
        "ACCEPTED"
    )


def test_every_door_refuses_it_alike() -> None:
    seen = preview(SLIP, contexts.default())
    assert (seen["status"], seen["reason"].split(":")[0]) == ("DENIED", OFF)
    out = StringIO()
    call_command("preview", "BUY", "60000", "AAPL", "--price", "0.15", stdout=out)
    assert OFF in out.getvalue()
    heartbeat.beat(Heartbeat.Kind.WORKER)
    answer = client_of("Trader").post("/api/v1/orders/", SLIP, "json").json()
    assert (answer["status"], answer["status_reason"].split(":")[0]) == ("DENIED", OFF)
    assert answer["decision_within_collar"] is False
    with pytest.raises(SystemExit):
        call_command("order", "BUY", "60000", "AAPL", "--price", "0.15", stdout=out)
    assert out.getvalue().count(OFF) == 2
    batch = acceptance.accept_all([SLIP, SLIP | {"decision_price": None}], contexts.default())
    assert [told(order) for order in batch] == [f"DENIED {OFF}", "ACCEPTED"]


def test_the_command_takes_the_names_that_python_callers_use() -> None:
    words = ["preview", "BUY", "100", "AAPL", "--execution-type", "TWAP", "--num-slices", "4"]
    out = StringIO()
    call_command(*words, "--time-window-minutes", "30", "--json", stdout=out)
    seen = json.loads(out.getvalue())
    assert (seen["algorithm"], seen["slices"]) == ("TWAP", 4)
    with pytest.raises(CommandError, match="was given as '4' and as '5'"):
        call_command(*words, "--slices", "5")


def test_routing_goes_by_the_market() -> None:
    order = acceptance.accept(SLIP | {"decision_price": None}, contexts.default())
    assert order.algorithm == "VWAP"
    low = quote_of("AAPL", contexts.default().now()).bid * D("0.92")  # within the collar
    cheap = acceptance.accept(SLIP | {"quantity": 70, "decision_price": low}, contexts.default())
    assert cheap.algorithm in ("MARKET", "TWAP")
    value = D(cheap.routing["notional"])
    assert value >= 70 * min(quote_of("AAPL", cheap.created_at).ask, D(170)) * D("0.999")
    assert (value < 10_000) == (cheap.algorithm == "MARKET")


@pytest.mark.parametrize("market", [Silent, Old, Crossed])
def test_a_price_that_cannot_be_compared_yet_is_compared_before_the_first_child(
    market: type[SimulatedMarket],
) -> None:
    order = acceptance.accept(
        SLIP | {"algorithm": "TWAP", "slices": 5, "quantity": 500}, on(market)
    )
    assert (order.status, order.settled_at, order.decision_within_collar) == (
        "ACCEPTED",
        None,
        None,
    )
    assert tried(order) == f"SKIPPED {OFF}"
    assert order.decision_within_collar is None  # it enters no figure


@pytest.mark.parametrize("market", [Silent, Old, Crossed])
def test_a_right_price_goes_on_once_it_is_compared(market: type[SimulatedMarket]) -> None:
    signal = SLIP | {"algorithm": "TWAP", "slices": 5, "quantity": 500, "decision_price": 150}
    order = acceptance.accept(signal, on(market))
    assert tried(order) == "SENDING"
    assert order.settled_at is not None
    assert order.decision_within_collar is True


def test_a_whole_that_is_worth_too_much_leaves_in_no_part() -> None:
    """Each child alone would pass."""
    context = with_limits(max_order_notional=D(20_000))
    signal = SLIP | {"algorithm": "TWAP", "slices": 10, "quantity": 1_000, "decision_price": None}
    order = acceptance.accept(signal, on(Silent, context))
    assert order.status == "ACCEPTED"
    assert tried(order, context) == "SKIPPED NOTIONAL_EXCEEDS_MAX"
    fits = acceptance.accept(signal | {"quantity": 100}, on(Silent, context))
    assert tried(fits, context) == "SENDING"


def test_a_market_that_moves_does_not_stop_an_order_that_was_compared() -> None:
    context = with_limits(max_order_notional=D(200_000))
    order = acceptance.accept(
        SLIP | {"algorithm": "TWAP", "slices": 10, "quantity": 1_000, "decision_price": 150},
        context,
    )
    assert order.settled_at == order.created_at
    part = order.slices.order_by("sequence")[0]
    risen = replace(quote_of("AAPL", part.due_at), bid=D("249.99"), ask=D("250.01"))
    assert slices.claim(part, risen, context, now=part.due_at) is not None


@pytest.mark.parametrize(
    "terms",
    [
        {},
        {"algorithm": "MARKET"},
        {"algorithm": "TWAP", "slices": 3},
        {"algorithm": "VWAP"},
        {"algorithm": "POV"},
        {"algorithm": "IS"},
        {"urgency": "LOW"},
        {"algorithm": "LIMIT", "limit_price": 150},
        {"algorithm": "LIMIT", "aggressive_after": 0.5},
    ],
)
def test_without_a_quote_an_order_waits_for_the_first(terms: dict[str, Any]) -> None:
    signal = {"symbol": "AAPL", "side": "BUY", "quantity": 100}
    order = acceptance.accept(signal | terms, on(Silent))
    assert order.status == "ACCEPTED"
    assert order.routing["waits_for"]
    [reason] = preview(signal | terms, on(Silent))["waits_for"]
    assert reason.split(":")[0] in ("PRICE_UNKNOWN", "QUOTE_MISSING")
    assert tried(order) == "SENDING"


def test_an_amendment_cannot_raise_the_value_above_the_limit() -> None:
    context = with_limits(max_order_notional=D(20_000))
    order = acceptance.accept(
        {"symbol": "AAPL", "side": "BUY", "quantity": 100, "algorithm": "TWAP", "slices": 4},
        context,
    )
    for change in ({"quantity": 200}, {"limit_price": 250}):
        with pytest.raises(NotAllowed, match="NOTIONAL_EXCEEDS_MAX"):
            amend.amend(order.pk, change, version=1, by="ann", context=context)
    amend.amend(order.pk, {"quantity": 110}, version=1, by="ann", context=on(Silent, context))
    order.refresh_from_db()
    assert order.settled_at is None  # of another value, which is compared before the next child


# What is stored already


def test_orders_of_before_are_judged_by_their_arrival() -> None:
    rows: Mapping[str, tuple[str | None, str | None, bool | None]] = {
        "right": ("150", "149.99", True),
        "mistyped": ("0.15", "149.99", False),
        "none given": (None, "149.99", None),
        "no quote at arrival": ("150", None, None),
    }
    for name, (decision, bid, _) in rows.items():
        order = new_order(client_reference=name.replace(" ", "-"))
        Order.objects.filter(pk=order.pk).update(
            decision_price=decision,
            arrival_bid=bid,
            arrival_ask=bid and D(bid) + D("0.02"),
            decision_within_collar=None,
            settled_at=None,
        )
    import_module("execution.migrations.0003_settled_value").judge(apps, None)
    found = dict(Order.objects.values_list("client_reference", "decision_within_collar"))
    assert found == {name.replace(" ", "-"): expected for name, (*_, expected) in rows.items()}
    assert not Order.objects.filter(settled_at=None).exists()


def test_a_start_hours_away_is_no_way_round() -> None:
    later = datetime.now(UTC) + timedelta(hours=3)
    order = acceptance.accept(SLIP | {"start_at": later}, contexts.default())
    assert told(order) == f"DENIED {OFF}"
    waits = acceptance.accept(SLIP | {"quantity": 500, "start_at": later}, on(Silent))
    assert (waits.status, tried(waits)) == ("ACCEPTED", f"SKIPPED {OFF}")
