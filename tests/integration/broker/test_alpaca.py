"""The Alpaca adapter under the contract, then each trap of Alpaca's own by name."""

import socket
from contextlib import ExitStack, suppress
from datetime import timedelta
from decimal import Decimal
from time import monotonic

import pytest
from pydantic import SecretStr

from execution.broker.alpaca import AlpacaBroker
from execution.broker.base import (
    BrokerRejected,
    BrokerUnavailable,
    DuplicateOrder,
    OutcomeUnknown,
)
from execution.domain.lifecycle import SliceStatus
from tests.brokers.alpaca_rig import AlpacaRig, settings
from tests.brokers.contract import BrokerContract
from tests.brokers.rig import PRICE, Rig, executed

PAGE = "<html><body><h1>502 Bad Gateway</h1></body></html>"


class TestContract(BrokerContract):
    @pytest.fixture
    def rig(self, alpaca: AlpacaRig) -> Rig:
        return alpaca


def posts(rig: AlpacaRig) -> list[dict[str, object]]:
    return rig.peer.entries("attempt", method="POST", path="/v2/orders")


@pytest.mark.parametrize("carried_out", [True, False], ids=["accepted", "not accepted"])
@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, {"code": 50010000, "message": "internal server error"}),
        (502, PAGE),
        (503, "upstream connect error"),
        (504, {"code": 50410000, "message": "gateway timeout"}),
        (408, {"message": "request timeout"}),
        (403, PAGE),
        (302, ""),
        (200, ""),
        (200, "null"),
        (200, "[]"),
        (200, '{"id": "cut off in the mid'),
        (200, PAGE),
        (200, '{"message": "hello"}'),
    ],
    ids=str,
)
def test_an_answer_that_is_none_leaves_the_outcome_unknown(
    alpaca: AlpacaRig, status: int, body: object, carried_out: bool
) -> None:
    ticket = alpaca.ticket()
    alpaca.peer.tell("fault", do=carried_out, status=status, body=body)
    with pytest.raises(OutcomeUnknown):
        alpaca.broker.place(ticket, now=alpaca.now())
    assert len(posts(alpaca)) == 1, "the library's own repetition of a placement is off"
    assert (alpaca.find(ticket) is not None) == carried_out


@pytest.mark.parametrize("status", [429, 504])
def test_the_library_repeats_no_placement_and_blocks_no_worker(
    alpaca: AlpacaRig, status: int
) -> None:
    alpaca.peer.tell("fault", do=True, status=status, body={"message": "slow down"}, times=-1)
    started = monotonic()
    with pytest.raises((BrokerRejected, OutcomeUnknown)):
        alpaca.broker.place(alpaca.ticket(), now=alpaca.now())
    assert monotonic() - started < 1
    assert len(posts(alpaca)) == 1


def test_the_library_repeats_no_look_up_either(alpaca: AlpacaRig) -> None:
    alpaca.peer.tell(
        "fault", method="GET", path="/v2/orders", status=504, body={"message": "x"}, times=-1
    )
    with pytest.raises(OutcomeUnknown):
        alpaca.find(alpaca.ticket())
    assert (
        len(alpaca.peer.entries("attempt", method="GET", path="/v2/orders:by_client_order_id")) == 1
    )


def test_an_answer_that_never_comes_is_not_waited_for_longer_than_set(alpaca: AlpacaRig) -> None:
    alpaca.peer.tell("fault", do=True, then="hang")
    ticket = alpaca.ticket()
    started = monotonic()
    with pytest.raises(OutcomeUnknown):
        alpaca.broker.place(ticket, now=alpaca.now())
    assert monotonic() - started < alpaca.config.alpaca_read_seconds + 1
    assert alpaca.find(ticket) is not None


def test_an_address_that_takes_no_connection_is_surely_unsent(alpaca: AlpacaRig) -> None:
    with ExitStack() as stack:
        port = _full_listener(stack)
        broker = AlpacaBroker(settings(f"http://127.0.0.1:{port}", alpaca_connect_seconds=0.3))
        started = monotonic()
        with pytest.raises(BrokerUnavailable):
            broker.find("nobody", now=alpaca.now())
        assert monotonic() - started < 3


def _full_listener(stack: ExitStack) -> int:
    """A port whose queue of connections is full, so that the kernel answers no further one."""
    listener = stack.enter_context(socket.socket())
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    port: int = listener.getsockname()[1]
    for _ in range(8):
        waiting = stack.enter_context(socket.socket())
        waiting.setblocking(False)
        with suppress(BlockingIOError):
            waiting.connect(("127.0.0.1", port))
    return port


@pytest.mark.parametrize(
    "words",
    [
        "client_order_id must be unique",
        "client order id must be unique",
        "Client-Order-ID must be unique within the account",
    ],
)
def test_must_be_unique_in_any_wording_means_that_it_arrived(alpaca: AlpacaRig, words: str) -> None:
    alpaca.peer.tell("fault", status=422, body={"code": 40010001, "message": words})
    with pytest.raises(DuplicateOrder):
        alpaca.broker.place(alpaca.ticket(), now=alpaca.now())


def test_an_unknown_status_in_the_answer_is_unknown_and_no_refusal(alpaca: AlpacaRig) -> None:
    ticket = alpaca.ticket()
    alpaca.peer.tell("fault", do=True, body={"status": "sleeping"})
    with pytest.raises(OutcomeUnknown, match="sleeping"):
        alpaca.broker.place(ticket, now=alpaca.now())
    assert alpaca.find(ticket) is not None


def test_words_that_the_library_does_not_know_do_not_hide_an_order(alpaca: AlpacaRig) -> None:
    news = {"asset_class": "moon_rock", "order_class": "galactic", "time_in_force": "aeon"}
    alpaca.peer.tell("fault", do=True, body=news)
    seen = alpaca.broker.place(alpaca.ticket(), now=alpaca.now())
    assert seen.status == SliceStatus.WORKING


def test_an_answer_about_another_order_is_unknown(alpaca: AlpacaRig) -> None:
    alpaca.peer.tell("fault", do=True, body={"client_order_id": "somebody-else"})
    with pytest.raises(OutcomeUnknown, match="somebody-else"):
        alpaca.broker.place(alpaca.ticket(), now=alpaca.now())


@pytest.mark.parametrize(
    ("side", "limit", "sent"),
    [
        ("BUY", "150.25", "150.25"),
        ("BUY", "150.2", "150.20"),
        ("BUY", "150.259", "150.25"),
        ("SELL", "150.251", "150.26"),
        ("BUY", "0.12345", "0.1234"),
        ("SELL", "0.12341", "0.1235"),
        ("BUY", "1234567.89", "1234567.89"),
        ("SELL", "0.1", "0.1000"),
    ],
)
def test_numbers_leave_as_exact_texts_on_the_price_grid(
    alpaca: AlpacaRig, side: str, limit: str, sent: str
) -> None:
    """As JSON floats they would be rounded, and a sub-penny price is refused."""
    alpaca.peer.tell("set", buying_power="1000000000")
    alpaca.placed(side=side, limit_price=Decimal(limit))
    (attempt,) = posts(alpaca)
    body = attempt["body"]
    assert isinstance(body, dict)
    assert (body["limit_price"], body["qty"]) == (sent, "100")


def test_a_new_order_may_not_be_found_for_a_moment(alpaca: AlpacaRig) -> None:
    """So a first "no" is for the resolver to ask again, not for the adapter to hide."""
    alpaca.peer.tell("set", settle=0.3)
    ticket = alpaca.placed()
    assert alpaca.find(ticket) is None
    alpaca.sees(ticket, lambda seen: seen.status == SliceStatus.WORKING, "visible")


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, PAGE),
        (404, {"message": "endpoint not found."}),
        (404, ""),
        (200, ""),
        (200, "null"),
        (200, {"client_order_id": "somebody-else"}),
        (500, {"message": "order not found"}),
    ],
    ids=str,
)
def test_only_alpacas_own_no_is_a_definite_no(alpaca: AlpacaRig, status: int, body: object) -> None:
    ticket = alpaca.placed()
    alpaca.peer.tell(
        "fault", method="GET", path="/v2/orders:by", do=status == 200, status=status, body=body
    )
    with pytest.raises(OutcomeUnknown):
        alpaca.find(ticket)


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("done_for_day", SliceStatus.WORKING),
        ("suspended", SliceStatus.WORKING),
        ("stopped", SliceStatus.WORKING),
        ("held", SliceStatus.WORKING),
        ("accepted", SliceStatus.WORKING),
        ("pending_replace", SliceStatus.WORKING),
        ("calculated", SliceStatus.WORKING),
        ("pending_cancel", SliceStatus.CANCELLING),
    ],
)
def test_a_status_that_is_no_end_ends_nothing(
    alpaca: AlpacaRig, word: str, status: SliceStatus
) -> None:
    ticket = alpaca.placed()
    alpaca.peer.tell("become", client_order_id=ticket.client_order_id, status=word)
    seen = alpaca.find(ticket)
    assert seen is not None
    assert seen.status == status


def test_an_unknown_status_is_no_guess(alpaca: AlpacaRig) -> None:
    ticket = alpaca.placed()
    alpaca.peer.tell("become", client_order_id=ticket.client_order_id, status="sleeping")
    with pytest.raises(OutcomeUnknown, match="sleeping"):
        alpaca.find(ticket)


def test_a_replaced_order_lives_on_in_its_replacement(alpaca: AlpacaRig) -> None:
    """Its shares are not free: somebody moved them in Alpaca's own pages."""
    ticket = alpaca.placed()
    alpaca.fill(ticket.client_order_id, 30, PRICE)
    other = alpaca.peer.tell("replace", client_order_id=ticket.client_order_id)
    seen = alpaca.find(ticket)
    assert seen is not None
    assert (seen.status, seen.filled_quantity) == (SliceStatus.WORKING, 30)
    alpaca.fill(str(other), 70, PRICE)
    seen = alpaca.sees_filled(ticket, 100)
    assert seen.status == SliceStatus.FILLED
    assert {each.client_order_id for each in seen.executions} == {ticket.client_order_id}


def test_a_replaced_order_is_cancelled_where_it_lives_on(alpaca: AlpacaRig) -> None:
    ticket = alpaca.placed()
    alpaca.peer.tell("replace", client_order_id=ticket.client_order_id)
    with suppress(BrokerRejected):  # under its old id it is too late
        alpaca.broker.cancel(ticket.client_order_id, now=alpaca.now())
    alpaca.find(ticket)
    alpaca.broker.cancel(ticket.client_order_id, now=alpaca.now())
    alpaca.sees(ticket, lambda seen: seen.status == SliceStatus.CANCELLED, "cancelled")


def test_a_cancel_of_an_ended_order_says_too_late(alpaca: AlpacaRig) -> None:
    ticket = alpaca.placed()
    alpaca.fill(ticket.client_order_id, 100, PRICE)
    with pytest.raises(BrokerRejected) as refused:
        alpaca.broker.cancel(ticket.client_order_id, now=alpaca.now())
    assert (refused.value.code, refused.value.transient) == ("TOO_LATE", False)


def test_a_cancel_takes_one_message_in_whichever_process(alpaca: AlpacaRig) -> None:
    ticket = alpaca.placed()
    before = len(alpaca.peer.entries("attempt"))
    alpaca.another().cancel(ticket.client_order_id, now=alpaca.now())
    assert len(alpaca.peer.entries("attempt")) == before + 1


def test_after_a_rate_limit_every_worker_holds_back(alpaca: AlpacaRig) -> None:
    other = alpaca.another()
    alpaca.limit_rate()
    with pytest.raises(BrokerRejected):
        alpaca.broker.place(alpaca.ticket(), now=alpaca.now())
    attempts = len(posts(alpaca))
    with pytest.raises(BrokerUnavailable):
        other.place(alpaca.ticket(), now=alpaca.now())
    assert len(posts(alpaca)) == attempts


def test_a_wrong_clock_stops_sends_until_it_is_right_again(alpaca: AlpacaRig) -> None:
    alpaca.set_clock(timedelta(seconds=30))
    with pytest.raises(BrokerUnavailable, match="clock"):
        alpaca.broker.place(alpaca.ticket(), now=alpaca.now())
    assert posts(alpaca) == []
    alpaca.set_clock(timedelta(0))
    assert alpaca.broker.place(alpaca.ticket(), now=alpaca.now()).status == SliceStatus.WORKING


def test_orders_leave_when_answers_have_no_date_header(alpaca: AlpacaRig) -> None:
    alpaca.peer.tell("set", dateless=True)
    for _ in range(3):
        seen = alpaca.broker.place(alpaca.ticket(), now=alpaca.now())
        assert seen.status == SliceStatus.WORKING
    asked = alpaca.peer.entries("attempt", path="/v2/clock")
    assert len(asked) == 1, "the clock is asked for seldom"


def test_a_wrong_clock_without_a_date_header_stops_sends_too(alpaca: AlpacaRig) -> None:
    alpaca.peer.tell("set", dateless=True)
    alpaca.set_clock(timedelta(seconds=30))
    with pytest.raises(BrokerUnavailable, match="30 s off ours"):
        alpaca.broker.place(alpaca.ticket(), now=alpaca.now())
    assert posts(alpaca) == []


def test_wrong_keys_are_a_refusal_with_alpacas_words(alpaca: AlpacaRig) -> None:
    broker = AlpacaBroker(settings(alpaca.peer.url, alpaca_secret_key=SecretStr("wrong")))
    # A process asks for the clock first: what is refused there has not left.
    with pytest.raises(BrokerUnavailable, match="not authorized"):
        broker.place(alpaca.ticket(), now=alpaca.now())
    with pytest.raises(BrokerRejected) as refused:
        broker.place(alpaca.ticket(), now=alpaca.now())
    assert (refused.value.code, refused.value.text) == (
        "NOT_AUTHORISED",
        "request is not authorized",
    )


def test_the_executions_of_one_order_go_beyond_a_page(alpaca: AlpacaRig) -> None:
    ticket = alpaca.placed(quantity=250)
    for _ in range(250):
        alpaca.fill(ticket.client_order_id, 1, PRICE)
    assert len(alpaca.sees_filled(ticket, 250).executions) == 250


def test_executions_may_show_later_than_the_filled_quantity(alpaca: AlpacaRig) -> None:
    alpaca.peer.tell("set", activity_lag=0.3)
    ticket = alpaca.placed()
    alpaca.fill(ticket.client_order_id, 100, PRICE)
    seen = alpaca.find(ticket)
    assert seen is not None
    assert (seen.filled_quantity, executed(seen)) == (100, 0)
    alpaca.sees_filled(ticket, 100)


def test_an_execution_told_under_two_ids_is_not_booked_twice(alpaca: AlpacaRig) -> None:
    ticket = alpaca.placed()
    alpaca.fill(ticket.client_order_id, 40, PRICE)
    alpaca.peer.tell("repeat_activity", client_order_id=ticket.client_order_id, new_id=True)
    with pytest.raises(OutcomeUnknown, match="40 shares more"):
        alpaca.find(ticket)


def test_known_executions_are_not_asked_for_again(alpaca: AlpacaRig) -> None:
    ticket = alpaca.placed()
    alpaca.fill(ticket.client_order_id, 100, PRICE)
    alpaca.sees_filled(ticket, 100)
    before = len(alpaca.peer.entries("attempt"))
    alpaca.sees_filled(ticket, 100)
    assert len(alpaca.peer.entries("attempt")) == before + 1


def test_a_day_order_for_whole_shares_is_what_leaves(alpaca: AlpacaRig) -> None:
    alpaca.placed(extended_hours=True)
    (attempt,) = posts(alpaca)
    body = attempt["body"]
    assert isinstance(body, dict)
    assert {name: body[name] for name in ("type", "time_in_force", "extended_hours", "side")} == {
        "type": "limit",
        "time_in_force": "day",
        "extended_hours": True,
        "side": "buy",
    }
