"""What the client library and TWS really do, each with the test that shows that it does no harm."""

from decimal import Decimal

import pytest

from execution.broker.base import (
    BrokerUnavailable,
    OutcomeUnknown,
)
from execution.broker.ibkr.connection import FIRST_REQUEST_ID
from execution.domain.lifecycle import SliceStatus
from execution.models import IbkrGateway, IbkrOrder
from tests.brokers.ibkr_rig import CLIENT_ID, IbkrRig, context, rig
from tests.brokers.rig import PATIENCE, PRICE, executed
from tests.integration.broker.ibkr_book import PLACE, compared, now_is
from tests.stack import wait_for

__all__ = ["context", "rig"]


@pytest.mark.parametrize("code", [10349, 161, 105, 104, 103, 201, 202, 321, 399, 404, 2109, 12345])
def test_trap_1_an_error_about_a_working_order_cancels_nothing(rig: IbkrRig, code: int) -> None:
    ticket = rig.placed()
    rig.tws.do("say", code=code, ref=ticket.client_order_id)
    compared(rig)
    assert now_is(rig, ticket).status == SliceStatus.WORKING
    rig.fill(ticket.client_order_id, 100, PRICE)
    assert rig.sees_filled(ticket, 100).status == SliceStatus.FILLED


@pytest.mark.parametrize("code", [161, 10147, 10148, 135, 136])
def test_trap_2_a_refused_cancel_leaves_the_order_working(rig: IbkrRig, code: int) -> None:
    ticket = rig.placed()
    rig.tws.do("set", refuse_cancels=code)
    rig.broker.cancel(ticket.client_order_id, now=rig.now())
    compared(rig)
    assert now_is(rig, ticket).status == SliceStatus.WORKING
    rig.tws.do("set", refuse_cancels=0)
    rig.broker.cancel(ticket.client_order_id, now=rig.now())
    rig.sees(ticket, lambda seen: seen.status == SliceStatus.CANCELLED, "cancelled")


def test_trap_2_a_cancel_request_alone_is_not_even_a_pending_cancel(rig: IbkrRig) -> None:
    ticket = rig.placed()
    rig.tws.do("set", refuse_cancels=161)
    rig.broker.cancel(ticket.client_order_id, now=rig.now())
    assert now_is(rig, ticket).status == SliceStatus.WORKING


def test_trap_3_a_fill_after_cancelled_is_booked_although_the_status_says_zero(
    rig: IbkrRig,
) -> None:
    ticket = rig.placed()
    rig.broker.cancel(ticket.client_order_id, now=rig.now())
    rig.sees(ticket, lambda seen: seen.status == SliceStatus.CANCELLED, "cancelled")
    rig.fill(ticket.client_order_id, 30, PRICE)
    seen = rig.sees(ticket, lambda seen: executed(seen) == 30, "executed")
    row = IbkrOrder.objects.get(client_order_id=ticket.client_order_id)
    assert (row.reported_filled, seen.filled_quantity, seen.status) == (
        0,
        30,
        SliceStatus.CANCELLED,
    )


def test_trap_4_corrections_do_not_count_twice(rig: IbkrRig) -> None:
    ticket = rig.placed()
    rig.fill(ticket.client_order_id, 60, PRICE)
    rig.fill(ticket.client_order_id, 40, PRICE)
    rig.sees_filled(ticket, 100)
    rig.correct(ticket.client_order_id, 39, PRICE)
    rig.correct(ticket.client_order_id, 38, PRICE - 1)
    seen = rig.sees(ticket, lambda seen: executed(seen) == 98, "corrected")
    assert seen.filled_quantity == 98
    assert [(each.quantity, each.revision) for each in seen.executions] == [(60, 1), (38, 3)]
    compared(rig)
    assert executed(now_is(rig, ticket)) == 98


@pytest.mark.parametrize(
    "switch",
    [{"repeat_status": True}, {"report_status": False}],
    ids=["orderStatus twice", "orderStatus never"],
)
def test_trap_5_shares_come_from_executions_however_often_the_status_is_told(
    rig: IbkrRig, switch: dict[str, bool]
) -> None:
    rig.tws.do("set", **switch)
    ticket = rig.placed()
    rig.fill(ticket.client_order_id, 40, PRICE)
    assert rig.sees_filled(ticket, 40).status == SliceStatus.WORKING
    rig.fill(ticket.client_order_id, 60, PRICE)
    assert rig.sees_filled(ticket, 100).status == SliceStatus.FILLED


def test_trap_5_a_status_ahead_of_its_executions_shows_that_some_are_missing(rig: IbkrRig) -> None:
    ticket = rig.placed()
    rig.tws.do("status", ref=ticket.client_order_id, status="Cancelled", filled=100)
    seen = rig.sees(ticket, lambda seen: seen.status == SliceStatus.CANCELLED, "cancelled")
    assert (seen.filled_quantity, executed(seen)) == (100, 0)


def test_trap_6_a_commission_comes_later_and_is_told_as_news(rig: IbkrRig) -> None:
    rig.tws.do("set", commission_seconds=-1)
    ticket = rig.placed()
    rig.fill(ticket.client_order_id, 100, PRICE)
    (execution,) = rig.sees_filled(ticket, 100).executions
    assert execution.commission is None
    since = rig.now()
    for amount in ("1.23", "0.87"):  # the second report is the one that counts
        rig.tws.do("commission", ref=ticket.client_order_id, amount=amount)

        def told(amount: str = amount) -> bool:
            news = rig.broker.reports(rig.account, since, now=rig.now())
            return [e.commission for each in news for e in each.executions] == [Decimal(amount)]

        wait_for(told, PATIENCE, "the commission in the news")


def test_trap_7_orders_live_on_after_the_socket_was_lost(rig: IbkrRig) -> None:
    ticket = rig.placed()
    rig.tws.do("cut")
    rig.fill(ticket.client_order_id, 40, PRICE)
    assert rig.sees_filled(ticket, 40).status == SliceStatus.WORKING
    rig.context.ready()
    rig.broker.cancel(ticket.client_order_id, now=rig.now())
    rig.sees(ticket, lambda seen: seen.status == SliceStatus.CANCELLED, "cancelled")


def test_trap_8_a_lost_connection_ends_no_process(rig: IbkrRig) -> None:
    for _ in range(3):
        rig.tws.do("cut")
        rig.context.ready()
    assert rig.context.gateways[-1].alive


@pytest.mark.parametrize("lost", [1100, 2110])
def test_trap_9_nothing_leaves_while_tws_has_lost_its_servers(rig: IbkrRig, lost: int) -> None:
    known = rig.placed()
    rig.tws.do("say", code=lost, text="Connectivity has been lost")
    rig.context.in_state(IbkrGateway.State.LINK_LOST)
    placements = len(rig.tws.log(PLACE))
    with pytest.raises(BrokerUnavailable, match="LINK_LOST"):
        rig.broker.place(rig.ticket(), now=rig.now())
    with pytest.raises(BrokerUnavailable, match="LINK_LOST"):
        rig.find(known)
    assert len(rig.tws.log(PLACE)) == placements
    rig.fill(known.client_order_id, 100, PRICE)
    rig.tws.do("say", code=1101)
    rig.context.ready()
    assert rig.sees_filled(known, 100).status == SliceStatus.FILLED


def test_trap_9_a_frozen_tws_is_noticed_and_its_thaw_too(rig: IbkrRig) -> None:
    rig.tws.do("set", hang=True)
    rig.context.in_state(IbkrGateway.State.DOWN)
    rig.tws.do("set", hang=False)
    rig.context.ready()


def test_trap_10_an_error_on_a_request_is_not_an_empty_answer(rig: IbkrRig) -> None:
    rig.tws.do("set", contract_error=[162, "Historical data farm is busy"])
    ticket = rig.ticket(symbol="NEWONE")
    with pytest.raises(BrokerUnavailable, match="busy"):
        rig.broker.place(ticket, now=rig.now())
    rig.tws.do("set", contract_error=[])
    assert rig.broker.place(ticket, now=rig.now()).status == SliceStatus.WORKING


def test_trap_11_a_client_id_in_use_is_told_at_once_and_tried_again(rig: IbkrRig) -> None:
    rig.tws.do("occupy", client_id=CLIENT_ID)
    rig.tws.do("cut")
    wait_for(lambda: "326" in rig.context.row.detail, 5, "the 326 to be shown")
    rig.tws.do("release", client_id=CLIENT_ID)
    rig.context.ready()


def test_trap_12_completed_orders_that_never_end_hold_nothing_up_and_prove_nothing(
    rig: IbkrRig,
) -> None:
    rig.tws.do("set", completed_end=False)
    rig.tws.do("once", lose=True)
    ticket = rig.ticket()
    with pytest.raises(OutcomeUnknown):
        rig.broker.place(ticket, now=rig.now())
    rig.tws.do("cut")
    rig.context.ready()
    rig.placed()  # orders leave although the list of ended ones is not answered
    compared(rig)
    with pytest.raises(OutcomeUnknown):
        rig.find(ticket)
    rig.tws.do("set", completed_end=True)

    rig.sees_none(ticket)


def test_trap_13_an_order_that_ended_while_nobody_listened_is_known_by_its_reference(
    rig: IbkrRig,
) -> None:
    filled, cancelled = rig.placed(), rig.placed()
    rig.tws.do("down")
    rig.fill(filled.client_order_id, 100, PRICE)
    rig.tws.do("end", ref=cancelled.client_order_id, status="Cancelled")
    rig.tws.do("up")
    assert rig.sees_filled(filled, 100).status == SliceStatus.FILLED
    rig.sees(cancelled, lambda seen: seen.status == SliceStatus.CANCELLED, "cancelled")


def test_trap_14_requests_use_up_no_order_ids(rig: IbkrRig) -> None:
    rig.placed()
    rig.broker.account_state(rig.account, now=rig.now())
    compared(rig)
    rig.placed()
    first, second = (int(each["fields"][1]) for each in rig.tws.log(PLACE)[-2:])
    assert second == first + 1
    requests = [int(each["fields"][2]) for each in rig.tws.log(7)]
    assert min(requests) >= FIRST_REQUEST_ID > second
