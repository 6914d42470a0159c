"""What messages make of an order, by the table; and the budget of messages. No database."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepstack.config import Config
from deepstack.config_ibkr import Ibkr
from execution.broker.ibkr import order_state
from execution.broker.ibkr.callbacks import Callbacks
from execution.broker.ibkr.error_codes import Verdict, verdict
from execution.broker.ibkr.halted_ticks import HaltedTicks
from execution.broker.ibkr.messages import CompletedSeen, ErrorSeen, OpenSeen, StatusSeen
from execution.broker.ibkr.order_state import Next
from execution.broker.ibkr.rate_limit import WINDOW, Lane, Pacer
from execution.broker.ibkr.system_checks import ibkr_problems
from execution.models import IbkrOrder

NOW = datetime(2026, 11, 20, 15, tzinfo=UTC)
UNSET = 1.7976931348623157e308  # the greatest double: TWS has no number


def listening(heard: list[Any]) -> Callbacks:
    return Callbacks(heard.append, HaltedTicks(Pacer(45), heard.append))


@pytest.mark.parametrize(
    ("shares", "price", "booked"),
    [
        (100.0, 150.25, True),
        (100, 0.4566, True),
        (0.5, 150.25, False),
        (math.nan, 150.25, False),
        (UNSET, 150.25, False),
        (-100.0, 150.25, False),
        (100.0, math.nan, False),
        (100.0, math.inf, False),
        (100.0, UNSET, False),
        (100.0, 0.0, False),
    ],
)
def test_only_an_execution_with_shares_and_a_price_is_booked(
    shares: float, price: float, booked: bool
) -> None:
    heard: list[object] = []
    names = {"clientId": 1, "orderId": 5, "permId": 900, "orderRef": "c1"}
    told = SimpleNamespace(
        **names, shares=shares, price=price, acctNumber="DU1", execId="0001.01", time=NOW
    )
    listening(heard).execDetails(7, None, told)
    assert len(heard) == booked


@pytest.mark.parametrize("filled", [math.nan, math.inf, UNSET, -1.0])
def test_a_status_without_a_count_counts_nothing(filled: float) -> None:
    heard: list[Any] = []
    callbacks = listening(heard)
    callbacks.orderStatus(5, "Submitted", filled, 0.0, 0.0, 900, 0, 0.0, 1)
    ended = SimpleNamespace(permId=900, orderRef="c1", filledQuantity=filled)
    callbacks.completedOrder(None, ended, SimpleNamespace(status="Cancelled", completedStatus=""))
    assert [message.filled for message in heard] == [0, 0]


def row(stage: str, **changes: Any) -> IbkrOrder:
    fields: dict[str, Any] = {"order_id": 5, "perm_id": 900, "attempt": 1, "quantity": 100}
    return IbkrOrder(stage=stage, **fields | changes)


def status(name: str, **changes: Any) -> StatusSeen:
    fields: dict[str, Any] = {"client_id": 1, "order_id": 5, "perm_id": 900, "filled": 0}
    return StatusSeen(status=name, **fields | changes)


@pytest.mark.parametrize(
    ("before", "said", "after", "following"),
    [
        ("SENDING", "PendingSubmit", "SENDING", Next.NOTHING),  # no acknowledgement yet
        ("SENDING", "ApiPending", "SENDING", Next.NOTHING),
        ("SENDING", "PreSubmitted", "WORKING", Next.NOTHING),  # held, for instance until the open
        ("SENDING", "Submitted", "WORKING", Next.NOTHING),
        ("SENDING", "Filled", "FILLED", Next.NOTHING),
        ("SENDING", "Cancelled", "CANCELLED", Next.NOTHING),
        ("SENDING", "Inactive", "WORKING", Next.LOOK),
        ("WORKING", "PendingCancel", "CANCELLING", Next.NOTHING),
        ("WORKING", "ApiCancelled", "CANCELLED", Next.NOTHING),
        ("CANCELLING", "Submitted", "WORKING", Next.NOTHING),  # the cancel was refused
        ("CANCELLING", "Filled", "FILLED", Next.NOTHING),
        ("CANCELLED", "Filled", "FILLED", Next.NOTHING),  # the race was lost
        ("CANCELLED", "Submitted", "CANCELLED", Next.LOOK),  # told late, or taken back: ask
        ("FILLED", "Cancelled", "FILLED", Next.NOTHING),
        ("FILLED", "Submitted", "FILLED", Next.NOTHING),  # told late
        ("ABSENT", "Submitted", "WORKING", Next.NOTHING),  # it arrived after all
        ("QUEUED", "Submitted", "WORKING", Next.NOTHING),  # and before it was sent again
        ("LOST", "Submitted", "WORKING", Next.NOTHING),
    ],
)
def test_the_status_of_an_order(before: str, said: str, after: str, following: Next) -> None:
    order = row(before)
    assert order_state.on_status(order, status(said)) is following
    assert order.stage == after


def test_a_cancel_after_a_refusal_is_a_reject_unless_something_was_filled() -> None:
    refused, partly = row("SENDING", code="201"), row("SENDING", code="201")
    order_state.on_status(refused, status("Cancelled"))
    order_state.on_status(partly, status("Cancelled", filled=10))
    assert (refused.stage, partly.stage) == ("REJECTED", "CANCELLED")


@pytest.mark.parametrize(
    ("stage", "changes", "code", "after", "words"),
    [
        ("CANCELLED", {}, 201, "REJECTED", "201: margin"),
        ("CANCELLED", {}, 10268, "CANCELLED", "10268: margin"),
        ("CANCELLED", {"reported_filled": 10}, 201, "CANCELLED", ""),
        ("CANCELLED", {"cancel_asked_at_real": datetime.now(UTC)}, 201, "CANCELLED", ""),
        ("CANCELLED", {"code": "110", "text": "tick"}, 201, "CANCELLED", "110: tick"),
        ("CANCELLED", {"text": "Order Canceled - reason:"}, 201, "REJECTED", "201: margin"),
        ("CANCELLED", {}, 202, "CANCELLED", ": margin"),
        ("REJECTED", {"code": "110", "text": "tick"}, 201, "REJECTED", "110: tick"),
        ("FILLED", {}, 201, "FILLED", ""),
        ("WORKING", {"broker_status": "Inactive"}, 201, "REJECTED", "201: margin"),
        ("WORKING", {"broker_status": "Submitted"}, 201, "WORKING", "201: margin"),
    ],
)
def test_why_an_order_ended_may_be_told_after_its_end(
    stage: str, changes: dict[str, Any], code: int, after: str, words: str
) -> None:
    order = row(stage, **changes)
    order_state.on_error(order, ErrorSeen(5, code, "margin"))
    assert (order.stage, f"{order.code}: {order.text}".removesuffix(": ")) == (after, words)


def test_a_status_of_another_permanent_id_changes_nothing() -> None:
    order = row("WORKING")
    assert order_state.on_status(order, status("Cancelled", perm_id=901)) is Next.LOOK
    assert order.stage == "WORKING"


@pytest.mark.parametrize("before", ["CANCELLED", "REJECTED"])
def test_the_list_of_open_orders_revives_what_we_thought_ended(before: str) -> None:
    order = row(before)
    order_state.on_open(order, OpenSeen(1, 5, 900, "ref", "Submitted"), refreshing=True)
    assert order.stage == "WORKING"


@pytest.mark.parametrize(
    ("before", "said", "after"),
    [
        ("SENDING", "Filled", "FILLED"),
        ("WORKING", "Cancelled", "CANCELLED"),
        ("WORKING", "Inactive", "REJECTED"),
        ("FILLED", "Cancelled", "FILLED"),
        ("REJECTED", "Cancelled", "REJECTED"),
    ],
)
def test_the_list_of_completed_orders(before: str, said: str, after: str) -> None:
    order = row(before)
    order_state.on_completed(order, CompletedSeen(900, "ref", said, 0, "words"))
    assert order.stage == after


@pytest.mark.parametrize(
    ("code", "new", "live"),
    [
        (201, "REJECTED", "WORKING"),
        (110, "REJECTED", "WORKING"),
        (321, "REJECTED", "WORKING"),
        (202, "SENDING", "WORKING"),
        (399, "SENDING", "WORKING"),
        (10349, "SENDING", "WORKING"),
        (103, "SENDING", "WORKING"),
        (104, "SENDING", "WORKING"),
        (161, "SENDING", "WORKING"),
        (10148, "SENDING", "WORKING"),
        (99999, "SENDING", "WORKING"),
    ],
)
def test_an_error_ends_a_new_order_at_most(code: int, new: str, live: str) -> None:
    unanswered, working = row("SENDING", perm_id=None), row("WORKING")
    again = row("SENDING", perm_id=None, attempt=2)
    for order in (unanswered, working, again):
        order_state.on_error(order, ErrorSeen(5, code, "words"))
    assert (unanswered.stage, working.stage, again.stage) == (new, live, "SENDING")


@pytest.mark.parametrize(
    ("before", "code", "after"),
    [
        ("SENDING", "", "ABSENT"),
        ("SENDING", "10268", "REJECTED"),  # it was complained of, and is not there
        ("SENDING", "103", "ABSENT"),  # the id was used up: another one is taken
        ("WORKING", "", "LOST"),
    ],
)
def test_an_order_that_is_in_none_of_the_lists(before: str, code: str, after: str) -> None:
    order = row(before, code=code)
    order_state.on_absence(order)
    assert order.stage == after
    assert (order.order_id is None) == (code == "103")


@pytest.mark.parametrize("code", [2104, 2109, 2161, 10167])
def test_notices_are_no_complaints(code: int) -> None:
    assert verdict(code) is Verdict.NOTE


@pytest.mark.parametrize(
    ("exec_id", "stem", "revision"),
    [
        ("0000e0d5.63a1b2c3.01.01", "0000e0d5.63a1b2c3.01", 1),
        ("0000e0d5.63a1b2c3.01.02", "0000e0d5.63a1b2c3.01", 2),
        ("plain", "plain", 0),
        ("a.b", "a.b", 0),
    ],
)
def test_an_execution_and_its_revision(exec_id: str, stem: str, revision: int) -> None:
    assert order_state.split_exec_id(exec_id) == (stem, revision)


@dataclass
class Clock:
    at: float = 0.0

    def __call__(self) -> float:
        return self.at


@given(
    st.lists(
        st.tuples(st.sampled_from(Lane), st.floats(0, 0.3), st.integers(1, 3)),
        min_size=1,
        max_size=200,
    )
)
def test_no_window_holds_more_messages_than_its_lane_may_use(
    terms: list[tuple[Lane, float, int]],
) -> None:
    clock = Clock()
    pacer = Pacer(20, clock)
    sent: list[float] = []
    for lane, pause, messages in terms:
        clock.at += pause
        wait = pacer.take(lane, messages)
        if wait:
            assert 0 < wait <= WINDOW
            continue
        sent += [clock.at] * messages
        recent = [each for each in sent if each > clock.at - WINDOW]
        assert len(recent) <= 20 * lane.value


def test_placements_leave_room_for_cancels() -> None:
    pacer = Pacer(45, Clock())
    while not pacer.take(Lane.PLACE):
        pass
    assert not pacer.take(Lane.CANCEL)


def test_market_data_leave_most_of_the_room_to_placements() -> None:
    pacer = Pacer(45, Clock())
    data, placements = count(), count()
    while not pacer.take(Lane.DATA):
        next(data)
    while not pacer.take(Lane.PLACE):
        next(placements)
    assert next(data) <= 45 / 3
    assert next(placements) >= 45 / 2


@pytest.mark.parametrize(
    ("changes", "problems"),
    [
        ({}, []),
        ({"ibkr_client_id": 0}, ["execution.E012"]),
        ({"ibkr": Ibkr(answer_seconds=40)}, ["execution.E013"]),
        ({"ibkr": Ibkr(library="ib_insync")}, []),
        ({"ibkr": Ibkr(library="ib_async")}, ["execution.E010"]),  # it is not installed here
    ],
)
def test_live_trading_needs(changes: dict[str, Any], problems: list[str]) -> None:
    config = Config(ibkr_client_id=17).model_copy(update=changes)
    assert [problem.id for problem in ibkr_problems(config)] == problems
