"""The contract's first half: how an order is placed, refused, filled, cancelled and ended."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from time import monotonic

import pytest

from execution.broker.base import (
    Broker,
    BrokerOrder,
    BrokerRejected,
    BrokerUnavailable,
    DuplicateOrder,
    Ticket,
)
from execution.domain.lifecycle import SLICE_TERMINAL, SliceStatus
from tests.brokers.rig import PATIENCE, PRICE, Can, Rig, executed, ids
from tests.stack import wait_for


class OrderContract:
    def test_a_placed_order_works_and_carries_both_ids(self, rig: Rig) -> None:
        ticket = rig.ticket()
        seen = rig.broker.place(ticket, now=rig.now())
        assert (seen.client_order_id, seen.status) == (ticket.client_order_id, SliceStatus.WORKING)
        assert seen.broker_order_id
        assert (seen.filled_quantity, list(seen.executions)) == (0, [])
        assert rig.accepted(ticket.client_order_id) == 1

    @pytest.mark.parametrize(
        "change",
        [
            {"side": "SELL"},
            {"quantity": 1},
            {"limit_price": Decimal("0.1234")},
            {"limit_price": Decimal("12345.6")},
            {"client_order_id": "x" * 40},
        ],
        ids=str,
    )
    def test_what_leaves_is_what_the_ticket_says(
        self, rig: Rig, change: Mapping[str, object]
    ) -> None:
        if "client_order_id" in change:
            change = {"client_order_id": f"{monotonic():x<40.6f}"}
        ticket = rig.ticket(**change)
        assert rig.broker.place(ticket, now=rig.now()).status == SliceStatus.WORKING
        assert rig.accepted(ticket.client_order_id) == 1

    def test_the_same_id_again_is_a_duplicate_and_no_second_order(self, rig: Rig) -> None:
        ticket = rig.placed()
        with pytest.raises(DuplicateOrder):
            rig.broker.place(ticket, now=rig.now())
        assert rig.accepted(ticket.client_order_id) == 1

    def test_an_id_stays_used_after_its_order_was_cancelled(self, rig: Rig) -> None:
        ticket = rig.placed()
        rig.broker.cancel(ticket.client_order_id, now=rig.now())
        rig.sees(ticket, lambda seen: seen.status == SliceStatus.CANCELLED, "cancelled")
        with pytest.raises(DuplicateOrder):
            rig.broker.place(ticket, now=rig.now())
        assert rig.accepted(ticket.client_order_id) == 1

    def test_the_same_ticket_at_once_from_two_processes_is_one_order(self, rig: Rig) -> None:
        ticket = rig.ticket()
        brokers = [rig.broker, rig.another()]

        def place(broker: Broker) -> bool:
            try:
                broker.place(ticket, now=rig.now())
            except DuplicateOrder:
                return False
            return True

        with ThreadPoolExecutor(2) as pool:
            placed = sorted(pool.map(place, brokers))
        assert placed == [False, True]
        assert rig.accepted(ticket.client_order_id) == 1

    def test_each_refusal_has_its_code_and_leaves_nothing_at_the_broker(
        self, rig: Rig, able: Callable[[Can], None]
    ) -> None:
        able(Can.REFUSE)
        assert rig.refusals, "a broker that refuses nothing is not a broker"
        for refusal in rig.refusals:
            ticket = rig.ticket(**refusal.ticket)
            refusal.provoke(rig)
            with pytest.raises(BrokerRejected) as refused:
                rig.broker.place(ticket, now=rig.now())
            assert (refused.value.code, refused.value.transient) == (
                refusal.code,
                refusal.transient,
            )
            assert refused.value.text, "the broker's own words are kept"
            assert _nothing_there(rig, ticket)
            assert rig.accepted(ticket.client_order_id) == 0

    def test_after_a_refusal_the_same_id_may_be_sent_again(
        self, rig: Rig, able: Callable[[Can], None]
    ) -> None:
        able(Can.LIMIT_RATE)
        ticket = rig.ticket()
        rig.limit_rate()
        with pytest.raises(BrokerRejected):
            rig.broker.place(ticket, now=rig.now())
        wait_for(lambda: _placed(rig, ticket), PATIENCE, "the broker to take it again")
        assert rig.accepted(ticket.client_order_id) == 1

    def test_too_many_messages_is_transient_and_says_when(
        self, rig: Rig, able: Callable[[Can], None]
    ) -> None:
        able(Can.LIMIT_RATE)
        rig.limit_rate()
        with pytest.raises(BrokerRejected) as refused:
            rig.broker.place(rig.ticket(), now=rig.now())
        assert refused.value.transient
        assert refused.value.retry_after is not None
        assert 0 < refused.value.retry_after <= 120

    def test_a_fill_is_found_with_its_price_and_time(self, rig: Rig) -> None:
        ticket = rig.placed()
        rig.fill(ticket.client_order_id, 100, PRICE)
        seen = rig.sees_filled(ticket, 100)
        assert seen.status == SliceStatus.FILLED
        (execution,) = seen.executions
        assert (execution.client_order_id, execution.account) == (
            ticket.client_order_id,
            rig.account,
        )
        assert (execution.quantity, execution.price) == (100, PRICE)
        assert abs(execution.executed_at - rig.now()) < timedelta(minutes=5)
        assert 0 < len(execution.execution_id) <= 80

    def test_partial_fills_add_up_under_ids_of_their_own(self, rig: Rig) -> None:
        ticket = rig.placed()
        rig.fill(ticket.client_order_id, 40, PRICE)
        part = rig.sees_filled(ticket, 40)
        assert part.status == SliceStatus.WORKING
        rig.fill(ticket.client_order_id, 60, PRICE - 1)
        whole = rig.sees_filled(ticket, 100)
        assert whole.status == SliceStatus.FILLED
        assert len(set(ids(whole))) == 2
        assert set(ids(part)) < set(ids(whole)), "an execution keeps its id"
        notional = sum(each.quantity * each.price for each in whole.executions)
        assert notional == 40 * PRICE + 60 * (PRICE - 1)

    def test_an_execution_told_twice_counts_once(
        self, rig: Rig, able: Callable[[Can], None]
    ) -> None:
        able(Can.REPEAT)
        ticket = rig.placed()
        rig.fill(ticket.client_order_id, 40, PRICE)
        before = rig.sees_filled(ticket, 40)
        rig.repeat_executions(ticket.client_order_id)
        rig.fill(ticket.client_order_id, 10, PRICE)
        after = rig.sees_filled(ticket, 50)
        assert len(set(ids(after))) == len(set(ids(before))) + 1

    def test_a_correction_is_a_higher_revision_of_the_same_execution(
        self, rig: Rig, able: Callable[[Can], None]
    ) -> None:
        able(Can.CORRECT)
        ticket = rig.placed()
        rig.fill(ticket.client_order_id, 40, PRICE)
        (first,) = rig.sees_filled(ticket, 40).executions
        rig.correct(ticket.client_order_id, 30, PRICE - 1)
        seen = rig.sees(ticket, lambda seen: executed(seen) == 30, "corrected")
        latest = max(seen.executions, key=lambda execution: execution.revision)
        assert latest.execution_id == first.execution_id
        assert latest.revision > first.revision
        assert (latest.quantity, latest.price) == (30, PRICE - 1)

    def test_a_cancel_is_a_request_and_the_look_up_confirms_it(self, rig: Rig) -> None:
        ticket = rig.placed()
        rig.broker.cancel(ticket.client_order_id, now=rig.now())
        seen = rig.sees(ticket, lambda seen: seen.status in SLICE_TERMINAL, "ended")
        assert (seen.status, seen.filled_quantity) == (SliceStatus.CANCELLED, 0)

    def test_a_cancel_from_another_process_reaches_the_order(self, rig: Rig) -> None:
        ticket = rig.placed()
        rig.another().cancel(ticket.client_order_id, now=rig.now())
        rig.sees(ticket, lambda seen: seen.status == SliceStatus.CANCELLED, "cancelled")

    def test_a_cancel_keeps_what_was_filled(self, rig: Rig) -> None:
        ticket = rig.placed()
        rig.fill(ticket.client_order_id, 40, PRICE)
        rig.sees_filled(ticket, 40)
        rig.broker.cancel(ticket.client_order_id, now=rig.now())
        seen = rig.sees(ticket, lambda seen: seen.status in SLICE_TERMINAL, "ended")
        assert (seen.status, executed(seen)) == (SliceStatus.CANCELLED, 40)

    def test_a_cancel_that_comes_too_late_changes_nothing(self, rig: Rig) -> None:
        ticket = rig.placed()
        rig.fill(ticket.client_order_id, 100, PRICE)
        rig.sees_filled(ticket, 100)
        with suppress(BrokerRejected):
            rig.broker.cancel(ticket.client_order_id, now=rig.now())
        assert rig.sees_filled(ticket, 100).status == SliceStatus.FILLED

    def test_a_cancel_of_an_order_that_never_was_is_refused(self, rig: Rig) -> None:
        with pytest.raises(BrokerRejected) as refused:
            rig.broker.cancel(rig.ticket().client_order_id, now=rig.now())
        assert not refused.value.transient

    def test_an_unconfirmed_cancel_is_not_a_cancel_and_may_still_fill(
        self, rig: Rig, able: Callable[[Can], None]
    ) -> None:
        able(Can.HOLD_CANCEL)
        ticket = rig.placed()
        rig.hold_cancels()
        rig.broker.cancel(ticket.client_order_id, now=rig.now())
        rig.sees(ticket, lambda seen: seen.status == SliceStatus.CANCELLING, "being cancelled")
        rig.fill(ticket.client_order_id, 100, PRICE)
        assert rig.sees_filled(ticket, 100).status == SliceStatus.FILLED

    def test_a_fill_after_the_cancel_is_reported(
        self, rig: Rig, able: Callable[[Can], None]
    ) -> None:
        able(Can.FILL_LATE)
        ticket = rig.placed()
        rig.broker.cancel(ticket.client_order_id, now=rig.now())
        rig.sees(ticket, lambda seen: seen.status == SliceStatus.CANCELLED, "cancelled")
        rig.fill_late(ticket.client_order_id, 30, PRICE)
        seen = rig.sees(ticket, lambda seen: executed(seen) == 30, "executed after its end")
        assert seen.status in SLICE_TERMINAL

    @pytest.mark.parametrize(
        "status", [SliceStatus.CANCELLED, SliceStatus.EXPIRED, SliceStatus.REJECTED]
    )
    def test_an_end_that_nobody_asked_for_is_seen(
        self, rig: Rig, able: Callable[[Can], None], status: SliceStatus
    ) -> None:
        able(Can.END_UNASKED)
        ticket = rig.placed()
        rig.end(ticket.client_order_id, status)
        rig.sees(ticket, lambda seen: seen.status == status, status)


def _nothing_there(rig: Rig, ticket: Ticket) -> bool:
    """What a look-up says, once the broker takes questions again."""

    def look() -> list[BrokerOrder | None]:
        with suppress(BrokerUnavailable):
            return [rig.find(ticket)]
        return []

    (seen,) = wait_for(look, PATIENCE, "a look-up to be answered")
    return seen is None or seen.status == SliceStatus.REJECTED


def _placed(rig: Rig, ticket: Ticket) -> bool:
    try:
        rig.broker.place(ticket, now=rig.now())
    except (BrokerRejected, BrokerUnavailable) as error:
        if isinstance(error, BrokerRejected) and not error.transient:
            raise
        return False
    return True
