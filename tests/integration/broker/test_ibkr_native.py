"""The broker's own algorithms on the wire: told once, letter by letter, whatever dies."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from execution.broker.base import BrokerRejected, DuplicateOrder, OutcomeUnknown, Ticket
from execution.broker.order_manager import OrderManager
from execution.broker.paper_trader import PaperTrader
from execution.domain.algorithms.broker_native import Native, instructions
from execution.domain.lifecycle import SliceStatus
from execution.models import PaperOrder
from tests.brokers.ibkr_rig import IbkrRig, context, rig
from tests.brokers.peers.tws_algos import PIECES
from tests.brokers.peers.tws_wire import Placement, placement
from tests.brokers.rig import PATIENCE
from tests.integration.broker.test_ibkr_gateway import in_a_thread
from tests.stack import wait_for

__all__ = ["context", "rig"]

START, END = datetime(2026, 11, 23, 15, tzinfo=UTC), datetime(2026, 11, 23, 20, tzinfo=UTC)
WINDOW = {"startTime": "20261123-15:00:00", "endTime": "20261123-20:00:00"}
LASTING = WINDOW | {"allowPastEndTime": "0"}


def native(name: str, **terms: str) -> Native:
    return instructions(name, terms, start=START, end=END)


def arrived(rig: IbkrRig, ticket: Ticket) -> list[Placement]:
    """What TWS read off the wire under the ticket's id."""
    said = [placement(line["fields"]) for line in rig.tws.log(3)]
    return [each for each in said if each.ref == ticket.client_order_id]


@pytest.mark.parametrize(
    ("side", "limit", "sent"),
    [
        ("BUY", "19.8055", "19.80"),
        ("SELL", "0.99995", "1.00"),
        ("BUY", "0.45665", "0.4566"),
        ("SELL", "19.80", "19.80"),
    ],
)
def test_a_limit_leaves_on_the_tick_whoever_asks_for_it(
    rig: IbkrRig, side: str, limit: str, sent: str
) -> None:
    ticket = rig.placed(side=side, limit_price=Decimal(limit))
    (said,) = arrived(rig, ticket)
    assert said.limit_price == Decimal(sent)


@pytest.mark.parametrize(
    ("name", "terms", "told"),
    [
        ("Adaptive", {"adaptivePriority": "Urgent"}, {"adaptivePriority": "Urgent"}),
        ("Twap", {}, {"strategyType": "Marketable", **LASTING}),
        ("Vwap", {"maxPctVol": "0.2"}, {"maxPctVol": "0.2", "noTakeLiq": "0", **LASTING}),
        (
            "ArrivalPx",
            {"maxPctVol": "0.1", "riskAversion": "Get Done"},
            {"maxPctVol": "0.1", "riskAversion": "Get Done", "forceCompletion": "0", **LASTING},
        ),
        ("PctVol", {"pctVol": "0.5"}, {"pctVol": "0.5", "noTakeLiq": "0", **WINDOW}),
    ],
)
def test_an_algorithm_arrives_once_with_its_tags_and_works_in_pieces(
    rig: IbkrRig, name: str, terms: dict[str, str], told: Mapping[str, str]
) -> None:
    rig.tws.do("set", fill_seconds=0.05)
    ticket = rig.placed(native=native(name, **terms))
    (said,) = arrived(rig, ticket)
    assert (said.algo, dict(said.algo_params)) == (name, told)
    assert (said.order_type, said.tif, said.outside_rth) == ("LMT", "DAY", False)
    seen = rig.sees_filled(ticket, ticket.quantity)
    assert seen.status == SliceStatus.FILLED
    assert len(seen.executions) == PIECES
    assert rig.accepted(ticket.client_order_id) == 1


def test_an_order_without_an_algorithm_says_none(rig: IbkrRig) -> None:
    (said,) = arrived(rig, rig.placed())
    assert (said.algo, said.algo_params) == ("", ())


def test_killed_between_send_and_acknowledgement_it_is_found_and_not_sent_again(
    rig: IbkrRig,
) -> None:
    ticket = rig.ticket(native=native("Vwap", maxPctVol="0.2"))
    rig.lose_answer()
    outcome = in_a_thread(lambda: rig.broker.place(ticket, now=rig.now()))
    wait_for(lambda: rig.accepted(ticket.client_order_id), PATIENCE, "the order to arrive")
    rig.context.gateways[-1].kill()
    assert isinstance(outcome.exception(PATIENCE), OutcomeUnknown)
    rig.context.start()
    rig.sees(ticket, lambda seen: seen.status == SliceStatus.WORKING, "working")
    with pytest.raises(DuplicateOrder):
        rig.broker.place(ticket, now=rig.now())
    assert len(arrived(rig, ticket)) == 1
    rig.fill(ticket.client_order_id, 40, ticket.limit_price)
    rig.sees_filled(ticket, 40)


def test_a_cancel_ends_it_and_keeps_its_pieces(rig: IbkrRig) -> None:
    ticket = rig.placed(native=native("Twap"))
    rig.fill(ticket.client_order_id, 30, ticket.limit_price)
    rig.sees_filled(ticket, 30)
    rig.broker.cancel(ticket.client_order_id, now=rig.now())
    seen = rig.sees(ticket, lambda seen: seen.status == SliceStatus.CANCELLED, "cancelled")
    assert seen.filled_quantity == 30


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (Native("Sniper", (("speed", "1"),)), "438"),
        (Native("Adaptive", (("adaptivePriority", "Hurried"),)), "440"),
        (Native("Adaptive", (("adaptivePriority", "Normal"), ("speedUp", "1"))), "442"),
        (Native("Vwap", (("maxPctVol", "0.6"), ("noTakeLiq", "0"), *LASTING.items())), "440"),
    ],
)
def test_what_tws_cannot_follow_is_a_definite_refusal(
    rig: IbkrRig, sent: Native, code: str
) -> None:
    ticket = rig.ticket(native=sent)
    with pytest.raises(BrokerRejected) as refused:
        rig.broker.place(ticket, now=rig.now())
    assert refused.value.code == code
    assert rig.accepted(ticket.client_order_id) == 0


def test_a_broker_without_algorithms_is_never_given_one(rig: IbkrRig) -> None:
    paper = OrderManager(rig.config, PaperTrader(config=rig.config))
    ticket = rig.ticket(limit_price=Decimal(1), native=native("Adaptive"))
    with pytest.raises(BrokerRejected) as refused:
        paper.place(ticket, now=rig.now())
    assert refused.value.code == "NATIVE_UNAVAILABLE"
    assert not PaperOrder.objects.filter(client_order_id=ticket.client_order_id).exists()
