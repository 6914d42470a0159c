"""The contract's second half: look-ups, unknown outcomes, news after a gap, and the account."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from decimal import Decimal
from time import monotonic

import pytest

from execution.broker.base import (
    AccountBroker,
    BrokerError,
    BrokerUnavailable,
    DuplicateOrder,
    OutcomeUnknown,
)
from execution.domain.lifecycle import SliceStatus
from tests.brokers.rig import PATIENCE, PRICE, Can, Rig, executed, ids
from tests.stack import wait_for

LONGEST_CALL = 12.0  # seconds, for any one call whatever the other side does


@contextmanager
def within(seconds: float) -> Iterator[None]:
    started = monotonic()
    try:
        yield
    finally:
        assert monotonic() - started < seconds


class KnowledgeContract:
    def test_an_order_that_never_was_is_a_definite_no(self, rig: Rig) -> None:
        assert rig.find(rig.ticket()) is None

    def test_another_process_finds_the_order_with_its_executions(self, rig: Rig) -> None:
        ticket = rig.placed()
        rig.fill(ticket.client_order_id, 40, PRICE)
        mine = rig.sees_filled(ticket, 40)
        other = rig.another()
        theirs = wait_for(
            lambda: other.find(ticket.client_order_id, now=rig.now()), PATIENCE, "the order"
        )
        assert theirs is not None
        assert (theirs.broker_order_id, theirs.status) == (mine.broker_order_id, mine.status)
        assert ids(theirs) == ids(mine), "one execution has one id, whoever asks"

    def test_a_lost_answer_is_unknown_and_the_look_up_knows(
        self, rig: Rig, able: Callable[[Can], None]
    ) -> None:
        able(Can.LOSE)
        ticket = rig.ticket()
        rig.lose_answer()
        try:
            listed = rig.broker.place(ticket, now=rig.now())
        except OutcomeUnknown:
            pass
        else:
            assert rig.lists_unasked
            assert listed.status == SliceStatus.WORKING
        rig.sees(ticket, lambda seen: seen.status == SliceStatus.WORKING, "working")
        with pytest.raises(DuplicateOrder):
            rig.broker.place(ticket, now=rig.now())
        assert rig.accepted(ticket.client_order_id) == 1

    def test_a_lost_request_is_unknown_until_the_look_up_says_never_arrived(
        self, rig: Rig, able: Callable[[Can], None]
    ) -> None:
        able(Can.LOSE)
        ticket = rig.ticket()
        rig.lose_request()
        with pytest.raises(OutcomeUnknown):
            rig.broker.place(ticket, now=rig.now())

        def definite_no() -> bool:
            with suppress(BrokerUnavailable, OutcomeUnknown):
                return rig.find(ticket) is None
            return False

        wait_for(definite_no, PATIENCE, "a definite answer")
        rig.broker.place(ticket, now=rig.now())
        assert rig.accepted(ticket.client_order_id) == 1

    def test_silence_is_unknown_after_a_bounded_wait(
        self, rig: Rig, able: Callable[[Can], None]
    ) -> None:
        able(Can.HANG)
        known = rig.placed()
        rig.hang()
        with pytest.raises((OutcomeUnknown, BrokerUnavailable)), within(LONGEST_CALL):
            rig.broker.place(rig.ticket(), now=rig.now())

        # What was heard a moment before the silence may still be told; soon nothing is.
        def silent() -> bool:
            with within(LONGEST_CALL):
                try:
                    rig.find(known)
                except (OutcomeUnknown, BrokerUnavailable):
                    return True
            return False

        wait_for(silent, PATIENCE, "the silence to be noticed")
        with pytest.raises((OutcomeUnknown, BrokerUnavailable)), within(LONGEST_CALL):
            rig.broker.cancel(known.client_order_id, now=rig.now())

    def test_a_placement_into_silence_is_not_called_unsent(
        self, rig: Rig, able: Callable[[Can], None]
    ) -> None:
        able(Can.HANG)
        rig.placed()
        rig.hang()
        with pytest.raises(OutcomeUnknown):
            rig.broker.place(rig.ticket(), now=rig.now())

    def test_a_broker_out_of_reach_is_never_an_empty_answer(
        self, rig: Rig, able: Callable[[Can], None]
    ) -> None:
        able(Can.BREAK)
        known = rig.placed()
        rig.break_connection()
        wait_for(lambda: _unavailable(rig), PATIENCE, "placements to be surely unsent")
        calls: list[Callable[[], object]] = [
            lambda: rig.find(known),
            lambda: rig.find(rig.ticket()),
            lambda: rig.broker.cancel(known.client_order_id, now=rig.now()),
            lambda: rig.broker.reports(rig.account, rig.now() - timedelta(hours=1), now=rig.now()),
        ]
        for call in calls:
            with pytest.raises((BrokerUnavailable, OutcomeUnknown)):
                call()

    def test_news_after_a_gap_tell_all_that_changed(self, rig: Rig) -> None:
        since = rig.now()
        filled, part, cancelled, quiet = (rig.placed() for _ in range(4))
        rig.broker.cancel(cancelled.client_order_id, now=rig.now())
        rig.fill(filled.client_order_id, 100, PRICE)
        rig.fill(part.client_order_id, 40, PRICE)
        listener = rig.another()
        wanted = {
            filled.client_order_id: (SliceStatus.FILLED, 100),
            part.client_order_id: (SliceStatus.WORKING, 40),
            cancelled.client_order_id: (SliceStatus.CANCELLED, 0),
        }
        told: dict[str, tuple[SliceStatus, int]] = {}

        def all_told() -> bool:
            for seen in listener.reports(rig.account, since - timedelta(seconds=5), now=rig.now()):
                if executed(seen) == seen.filled_quantity:
                    told[seen.client_order_id] = (seen.status, seen.filled_quantity)
            return all(told.get(key) == value for key, value in wanted.items())

        wait_for(all_told, PATIENCE, f"news of {wanted}, so far {told}")
        assert told.get(quiet.client_order_id, (SliceStatus.WORKING, 0)) == (
            SliceStatus.WORKING,
            0,
        )

    def test_news_and_look_ups_name_an_execution_alike(self, rig: Rig) -> None:
        since = rig.now()
        ticket = rig.placed()
        rig.fill(ticket.client_order_id, 40, PRICE)
        rig.fill(ticket.client_order_id, 10, PRICE)
        known = ids(rig.sees_filled(ticket, 50))
        told: set[str] = set()

        def all_told() -> bool:
            for seen in rig.broker.reports(
                rig.account, since - timedelta(seconds=5), now=rig.now()
            ):
                if seen.client_order_id == ticket.client_order_id:
                    told.update(ids(seen))
            return len(told) >= len(set(known))

        wait_for(all_told, PATIENCE, "the executions in the news")
        assert told == set(known)

    def test_cash_buying_power_and_positions_are_told(
        self, rig: Rig, able: Callable[[Can], None]
    ) -> None:
        able(Can.SHOW_ACCOUNT)
        rig.set_account(
            cash=Decimal("12345.67"),
            buying_power=Decimal("24691.34"),
            positions={"AAPL": 300, "MSFT": -20},
        )
        state = _accounts(rig).account_state(rig.account, now=rig.now())
        assert state.account == rig.account
        assert (state.cash, state.buying_power) == (Decimal("12345.67"), Decimal("24691.34"))
        assert state.positions == {"AAPL": 300, "MSFT": -20}

    def test_an_execution_moves_the_position_and_the_cash(
        self, rig: Rig, able: Callable[[Can], None]
    ) -> None:
        able(Can.SHOW_ACCOUNT)
        ticket = rig.placed(side="SELL")
        before = _accounts(rig).account_state(rig.account, now=rig.now())
        rig.fill(ticket.client_order_id, 40, PRICE)
        rig.sees_filled(ticket, 40)

        def moved() -> bool:
            state = _accounts(rig).account_state(rig.account, now=rig.now())
            held = before.positions.get(ticket.symbol, 0)
            commission = before.cash + 40 * PRICE - state.cash
            return state.positions.get(ticket.symbol, 0) == held - 40 and 0 <= commission <= 2

        wait_for(moved, PATIENCE, "the position and the cash to move")

    def test_what_has_ended_is_not_open(self, rig: Rig, able: Callable[[Can], None]) -> None:
        able(Can.SHOW_ACCOUNT)
        filled, cancelled, part = (rig.placed() for _ in range(3))
        rig.fill(filled.client_order_id, 100, PRICE)
        rig.broker.cancel(cancelled.client_order_id, now=rig.now())
        rig.fill(part.client_order_id, 30, PRICE)
        mine = {each.client_order_id for each in (filled, cancelled, part)}

        def settled() -> bool:
            orders = _accounts(rig).open_orders(rig.account, now=rig.now())
            told = {each.client_order_id: each.leaves for each in orders}
            return {key: told[key] for key in mine & told.keys()} == {part.client_order_id: 70}

        wait_for(settled, PATIENCE, "only the partly filled order to be open")

    def test_accounts_are_never_an_empty_answer_out_of_reach(
        self, rig: Rig, able: Callable[[Can], None]
    ) -> None:
        able(Can.BREAK)
        rig.break_connection()
        broker = _accounts(rig)
        for ask in (broker.account_state, broker.open_orders):
            with pytest.raises((BrokerUnavailable, OutcomeUnknown)):
                ask(rig.account, now=rig.now())

    def test_a_clock_that_differs_is_measured(self, rig: Rig, able: Callable[[Can], None]) -> None:
        able(Can.OWN_CLOCK)
        for skew in (timedelta(0), timedelta(seconds=30)):
            rig.set_clock(skew)
            state = _accounts(rig).account_state(rig.account, now=rig.now())
            assert abs(state.at - rig.now() - skew) < timedelta(seconds=2)

    def test_orders_of_others_are_shown(self, rig: Rig, able: Callable[[Can], None]) -> None:
        able(Can.SHOW_ACCOUNT)
        mine = rig.placed(quantity=70)
        rig.foreign_order("MSFT", "SELL", 30)

        def both() -> bool:
            orders = _accounts(rig).open_orders(rig.account, now=rig.now())
            told = {(each.symbol, each.side, each.leaves): each for each in orders}
            ours = told.get((mine.symbol, "BUY", 70))
            return (
                ours is not None
                and ours.client_order_id == mine.client_order_id
                and ("MSFT", "SELL", 30) in told
            )

        wait_for(both, PATIENCE, "both open orders")


def _accounts(rig: Rig) -> AccountBroker:
    assert isinstance(rig.broker, AccountBroker)
    return rig.broker


def _unavailable(rig: Rig) -> bool:
    """Whether a placement is refused as surely unsent; the first after a break may be unknown."""
    with suppress(OutcomeUnknown):
        try:
            rig.broker.place(rig.ticket(), now=rig.now())
        except BrokerUnavailable:
            return True
        except BrokerError as error:
            raise AssertionError(f"out of reach, yet {error!r}") from error
    return False
