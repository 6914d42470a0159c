"""What the client library and TWS really do, each with the test that shows that it does no harm."""

import json
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from time import monotonic

import pytest

from execution.broker.base import (
    BrokerOrder,
    BrokerRejected,
    BrokerUnavailable,
    OutcomeUnknown,
    Ticket,
)
from execution.broker.ibkr.connection import FIRST_REQUEST_ID
from execution.domain.lifecycle import SliceStatus
from execution.models import IbkrGateway, IbkrOrder
from tests.brokers.ibkr_rig import CLIENT_ID, IbkrRig, desk, rig
from tests.brokers.rig import PATIENCE, PRICE, executed
from tests.stack import wait_for

__all__ = ["desk", "rig"]

PLACE = 3
EXECUTIONS_ASKED, EXECUTIONS_SHOWN = (7, "in"), (11, "out")


def compared(rig: IbkrRig) -> None:
    """Once all that TWS has said so far is in the book, and the orders were compared again."""
    before = rig.desk.row.reconciled_wall
    rig.tws.do("say", code=1102)
    wait_for(
        lambda: rig.desk.row.reconciled_wall != before and rig.desk.row.state == "READY",
        PATIENCE,
        "a comparison",
    )


def now_is(rig: IbkrRig, ticket: Ticket) -> BrokerOrder:
    seen = rig.find(ticket)
    assert seen is not None
    return seen


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
            news = rig.broker.news(rig.account, since, now=rig.now())
            return [e.commission for each in news for e in each.executions] == [Decimal(amount)]

        wait_for(told, PATIENCE, "the commission in the news")


def test_trap_7_orders_live_on_after_the_socket_was_lost(rig: IbkrRig) -> None:
    ticket = rig.placed()
    rig.tws.do("cut")
    rig.fill(ticket.client_order_id, 40, PRICE)
    assert rig.sees_filled(ticket, 40).status == SliceStatus.WORKING
    rig.desk.ready()
    rig.broker.cancel(ticket.client_order_id, now=rig.now())
    rig.sees(ticket, lambda seen: seen.status == SliceStatus.CANCELLED, "cancelled")


def test_trap_8_a_lost_connection_ends_no_process(rig: IbkrRig) -> None:
    for _ in range(3):
        rig.tws.do("cut")
        rig.desk.ready()
    assert rig.desk.gateways[-1].alive


@pytest.mark.parametrize("lost", [1100, 2110])
def test_trap_9_nothing_leaves_while_tws_has_lost_its_servers(rig: IbkrRig, lost: int) -> None:
    known = rig.placed()
    rig.tws.do("say", code=lost, text="Connectivity has been lost")
    rig.desk.in_state(IbkrGateway.State.LINK_LOST)
    placements = len(rig.tws.log(PLACE))
    with pytest.raises(BrokerUnavailable, match="LINK_LOST"):
        rig.broker.place(rig.ticket(), now=rig.now())
    with pytest.raises(BrokerUnavailable, match="LINK_LOST"):
        rig.find(known)
    assert len(rig.tws.log(PLACE)) == placements
    rig.fill(known.client_order_id, 100, PRICE)
    rig.tws.do("say", code=1101)
    rig.desk.ready()
    assert rig.sees_filled(known, 100).status == SliceStatus.FILLED


def test_trap_9_a_frozen_tws_is_noticed_and_its_thaw_too(rig: IbkrRig) -> None:
    rig.tws.do("set", hang=True)
    rig.desk.in_state(IbkrGateway.State.DOWN)
    rig.tws.do("set", hang=False)
    rig.desk.ready()


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
    wait_for(lambda: "326" in rig.desk.row.detail, 5, "the 326 to be shown")
    rig.tws.do("release", client_id=CLIENT_ID)
    rig.desk.ready()


def test_trap_12_completed_orders_that_never_end_hold_nothing_up_and_prove_nothing(
    rig: IbkrRig,
) -> None:
    rig.tws.do("set", completed_end=False)
    rig.tws.do("once", lose=True)
    ticket = rig.ticket()
    with pytest.raises(OutcomeUnknown):
        rig.broker.place(ticket, now=rig.now())
    rig.tws.do("cut")
    rig.desk.ready()
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


def test_an_order_id_is_never_used_for_two_orders(rig: IbkrRig) -> None:
    """TWS hands out again the ids of orders that it never processed."""
    rig.placed()
    used = int(rig.tws.log(PLACE)[-1]["fields"][1])
    rig.tws.do("set", next_valid_id=1)
    rig.tws.do("cut")
    rig.desk.ready()
    rig.placed()
    assert int(rig.tws.log(PLACE)[-1]["fields"][1]) > used


def test_a_lost_order_is_sent_again_under_its_own_order_id(rig: IbkrRig) -> None:
    """Should the first one still come through, the second is a change of it and no second order."""
    ticket = rig.ticket()
    rig.lose_request()
    with pytest.raises(OutcomeUnknown):
        rig.broker.place(ticket, now=rig.now())
    rig.sees_none(ticket)
    rig.broker.place(ticket, now=rig.now())
    first, second = (int(each["fields"][1]) for each in rig.tws.log(PLACE)[-2:])
    assert first == second
    assert rig.accepted(ticket.client_order_id) == 1


def test_an_order_id_that_tws_calls_a_duplicate_is_replaced_once_nothing_works_under_it(
    rig: IbkrRig,
) -> None:
    ticket = rig.ticket()
    rig.lose_request()
    with pytest.raises(OutcomeUnknown):
        rig.broker.place(ticket, now=rig.now())
    rig.sees_none(ticket)
    rig.placed()  # a higher id: TWS takes none below it any more

    def placed() -> bool:
        with suppress(BrokerUnavailable, OutcomeUnknown):
            return rig.broker.place(ticket, now=rig.now()).status == SliceStatus.WORKING
        rig.sees_none(ticket)
        return False

    wait_for(placed, 3 * PATIENCE, "the order to be placed")
    assert rig.accepted(ticket.client_order_id) == 1


def test_a_second_order_under_one_reference_is_cancelled(rig: IbkrRig) -> None:
    ticket = rig.placed()
    rig.tws.do("twin", ref=ticket.client_order_id)

    def left() -> list[str]:
        orders = rig.tws.do("orders")
        return [each["status"] for each in orders if each["ref"] == ticket.client_order_id]

    wait_for(lambda: left() == ["Submitted", "Cancelled"], PATIENCE, "one of the twins to end")
    assert now_is(rig, ticket).status == SliceStatus.WORKING


def test_an_order_that_the_broker_forgot_is_no_guess(rig: IbkrRig) -> None:
    ticket = rig.placed()
    rig.tws.do("forget", ref=ticket.client_order_id)
    compared(rig)
    wait_for(
        lambda: IbkrOrder.objects.get(client_order_id=ticket.client_order_id).stage == "LOST",
        PATIENCE,
        "the order to be missed",
    )
    with pytest.raises(OutcomeUnknown, match="LOST"):
        rig.find(ticket)


def test_inactive_without_a_refusal_is_held_and_not_ended(rig: IbkrRig) -> None:
    ticket = rig.placed()
    rig.tws.do("hold", ref=ticket.client_order_id)
    compared(rig)
    assert now_is(rig, ticket).status == SliceStatus.WORKING


@pytest.mark.parametrize(
    ("code", "status"), [(399, "PreSubmitted"), (404, "PreSubmitted"), (10349, "Submitted")]
)
def test_a_warning_with_the_acknowledgement_is_no_refusal(
    rig: IbkrRig, code: int, status: str
) -> None:
    ticket = rig.ticket()
    rig.tws.do("once", warn=[code, "Warning: your order will not be placed until"], status=status)
    assert rig.broker.place(ticket, now=rig.now()).status == SliceStatus.WORKING


def test_a_refusal_by_status_has_the_brokers_words(rig: IbkrRig) -> None:
    rig.tws.do("once", inactive=[201, "Order rejected - reason:INSUFFICIENT MARGIN"])
    with pytest.raises(BrokerRejected, match="INSUFFICIENT MARGIN"):
        rig.broker.place(rig.ticket(), now=rig.now())


def test_an_error_that_nobody_knows_is_a_refusal_only_when_nothing_is_at_the_broker(
    rig: IbkrRig,
) -> None:
    rig.refuse_next(10268, "The 'EtradeOnly' order attribute is not supported.")
    ticket = rig.ticket()
    with suppress(OutcomeUnknown), pytest.raises(BrokerRejected):
        rig.broker.place(ticket, now=rig.now())
    seen = rig.sees(ticket, lambda seen: seen.status == SliceStatus.REJECTED, "refused")
    assert "10268" in seen.reason


@pytest.mark.parametrize("zone", ["US/Eastern", "America/New_York", ""])
def test_stamps_of_executions_are_the_exchanges_time(rig: IbkrRig, zone: str) -> None:
    rig.tws.do("set", zone=zone)
    ticket = rig.placed()
    rig.fill(ticket.client_order_id, 100, PRICE)
    (execution,) = rig.sees_filled(ticket, 100).executions
    assert abs(execution.executed_at - rig.now()) < timedelta(seconds=5)


def test_a_symbol_with_two_contracts_is_refused(rig: IbkrRig) -> None:
    rig.tws.do("set", ambiguous=["TWOFOLD"])
    with pytest.raises(BrokerRejected, match="2 contracts"):
        rig.broker.place(rig.ticket(symbol="TWOFOLD"), now=rig.now())


def test_a_share_class_is_written_as_the_broker_writes_it(rig: IbkrRig) -> None:
    ticket = rig.placed(symbol="BRK.B")
    assert rig.tws.do("order", ref=ticket.client_order_id)["symbol"] == "BRK B"
    symbols = {each.symbol for each in rig.broker.open_orders(rig.account, now=rig.now())}
    assert "BRK.B" in symbols


@pytest.mark.parametrize("extended", [False, True])
def test_an_order_says_for_how_long_and_whether_outside_regular_hours(
    rig: IbkrRig, extended: bool
) -> None:
    ticket = rig.placed(extended_hours=extended)
    order = rig.tws.do("order", ref=ticket.client_order_id)
    assert (order["tif"], order["outside_rth"], order["limit"]) == ("DAY", extended, "150.25")


def test_a_broker_clock_far_from_ours_stops_orders(rig: IbkrRig) -> None:
    rig.tws.do("set", clock_skew=30)
    rig.desk.in_state(IbkrGateway.State.HELD)
    with pytest.raises(BrokerUnavailable, match="clock"):
        rig.broker.place(rig.ticket(), now=rig.now())
    rig.tws.do("set", clock_skew=0)
    rig.desk.ready()


def test_a_read_only_api_is_named_and_nothing_leaves(rig: IbkrRig) -> None:
    rig.tws.do("set", open_end=False)
    rig.tws.do("cut")
    wait_for(lambda: "read-only" in rig.desk.row.detail, PATIENCE, "the reason to be shown")
    with pytest.raises(BrokerUnavailable, match="read-only"):
        rig.broker.place(rig.ticket(), now=rig.now())


def test_a_reason_that_follows_the_cancel_reaches_the_worker(rig: IbkrRig) -> None:
    ticket = rig.placed()
    rig.tws.do("end", ref=ticket.client_order_id, status="Cancelled")
    rig.sees(ticket, lambda seen: seen.status == SliceStatus.CANCELLED, "cancelled")
    text = "Order rejected - reason:INSUFFICIENT MARGIN"
    rig.tws.do("say", code=201, text=text, ref=ticket.client_order_id)
    seen = rig.sees(ticket, lambda seen: seen.status == SliceStatus.REJECTED, "refused")
    assert seen.reason == f"201: {text}"


def test_a_question_for_executions_without_an_answer_is_put_again_within_seconds(
    rig: IbkrRig,
) -> None:
    rig.tws.do("set", mute_executions=2)
    rig.tws.do("cut")
    wait_for(lambda: "executions" in rig.desk.row.detail, PATIENCE, "the reason to be shown")
    assert rig.desk.row.state == "RECONCILING"
    assert "read-only" not in rig.desk.row.detail
    began = monotonic()
    rig.desk.in_state("READY")
    assert monotonic() - began < 10
    rig.placed()


def test_an_answer_that_takes_long_and_makes_progress_is_waited_for(rig: IbkrRig) -> None:
    gateway = rig.desk.gateways[-1]
    before = len(gateway.output())
    rig.tws.do("crowd", orders=40)
    rig.tws.do("set", ignore_filter=True, seconds_per_execution=0.15)  # six seconds in all
    rig.tws.do("cut")
    wait_for(lambda: rig.desk.row.state == "RECONCILING", PATIENCE, "the comparison to begin")
    rig.desk.in_state("READY")
    assert "does not answer" not in gateway.output()[before:]


def test_executions_of_other_clients_are_not_asked_for(rig: IbkrRig) -> None:
    rig.tws.do("crowd", orders=40)
    ticket = rig.placed()
    rig.fill(ticket.client_order_id, 100, PRICE)
    rig.sees_filled(ticket, 100)
    asked, shown = (len(rig.tws.log(*each)) for each in (EXECUTIONS_ASKED, EXECUTIONS_SHOWN))
    compared(rig)
    questions = rig.tws.log(*EXECUTIONS_ASKED)[asked:]
    assert {each["fields"][3] for each in questions} == {str(CLIENT_ID)}
    answers = [str(each["fields"]) for each in rig.tws.log(*EXECUTIONS_SHOWN)[shown:]]
    assert any(ticket.client_order_id in each for each in answers)
    assert not any("ZZZ" in each for each in answers)


def test_thousands_of_executions_of_another_client_hold_nothing_up(rig: IbkrRig) -> None:
    rig.tws.do("crowd", orders=20, executions=100)
    rig.tws.do("set", ignore_filter=True)  # and if TWS shows them all the same
    rig.tws.do("cut")
    rig.desk.ready()
    wait_for(
        lambda: "executions of orders that are not ours" in rig.desk.gateways[-1].output(),
        PATIENCE,
        "their count in the log",
    )
    said = [line for line in rig.desk.gateways[-1].output().splitlines() if "not ours" in line]
    assert len(said) <= 3, "one line for each comparison"
    assert json.loads(said[-1])["count"] >= 2_000
