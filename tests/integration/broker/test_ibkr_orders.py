"""Orders at TWS: their ids, warnings, refusals and times, and the executions that are asked for."""

import json
from contextlib import suppress
from datetime import timedelta
from time import monotonic

import pytest

from execution.broker.base import (
    BrokerRejected,
    BrokerUnavailable,
    OutcomeUnknown,
)
from execution.domain.lifecycle import SliceStatus
from execution.models import IbkrGateway, IbkrOrder
from tests.brokers.ibkr_rig import CLIENT_ID, IbkrRig, context, rig
from tests.brokers.rig import PATIENCE, PRICE
from tests.integration.broker.ibkr_book import (
    EXECUTIONS_ASKED,
    EXECUTIONS_SHOWN,
    PLACE,
    compared,
    now_is,
)
from tests.stack import wait_for

__all__ = ["context", "rig"]


def test_an_order_id_is_never_used_for_two_orders(rig: IbkrRig) -> None:
    """TWS hands out again the ids of orders that it never processed."""
    rig.placed()
    used = int(rig.tws.log(PLACE)[-1]["fields"][1])
    rig.tws.do("set", next_valid_id=1)
    rig.tws.do("cut")
    rig.context.ready()
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
    rig.tws.do("duplicate_of", ref=ticket.client_order_id)

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
    rig.context.in_state(IbkrGateway.State.HELD)
    with pytest.raises(BrokerUnavailable, match="clock"):
        rig.broker.place(rig.ticket(), now=rig.now())
    rig.tws.do("set", clock_skew=0)
    rig.context.ready()


def test_a_read_only_api_is_named_and_nothing_leaves(rig: IbkrRig) -> None:
    rig.tws.do("set", open_end=False)
    rig.tws.do("cut")
    wait_for(lambda: "read-only" in rig.context.row.detail, PATIENCE, "the reason to be shown")
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
    wait_for(lambda: "executions" in rig.context.row.detail, PATIENCE, "the reason to be shown")
    assert rig.context.row.state == "RECONCILING"
    assert "read-only" not in rig.context.row.detail
    began = monotonic()
    rig.context.in_state("READY")
    assert monotonic() - began < 10
    rig.placed()


def test_an_answer_that_takes_long_and_makes_progress_is_waited_for(rig: IbkrRig) -> None:
    gateway = rig.context.gateways[-1]
    before = len(gateway.output())
    rig.tws.do("crowd", orders=40)
    rig.tws.do("set", ignore_filter=True, seconds_per_execution=0.15)  # six seconds in all
    rig.tws.do("cut")
    wait_for(lambda: rig.context.row.state == "RECONCILING", PATIENCE, "the comparison to begin")
    rig.context.in_state("READY")
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
    rig.context.ready()
    wait_for(
        lambda: "executions of orders that are not ours" in rig.context.gateways[-1].output(),
        PATIENCE,
        "their count in the log",
    )
    said = [line for line in rig.context.gateways[-1].output().splitlines() if "not ours" in line]
    assert len(said) <= 3, "one line for each comparison"
    assert json.loads(said[-1])["count"] >= 2_000
