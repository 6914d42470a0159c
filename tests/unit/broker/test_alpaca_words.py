"""What Alpaca's words, numbers and addresses mean: tables that need no connection."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime

import pytest
from alpaca.trading.enums import OrderStatus
from pydantic import ValidationError

from deepstack.config import Config, ConfigError
from execution.broker.alpaca import endpoints, messages, rejections
from execution.broker.base import BrokerRejected, DuplicateOrder, OutcomeUnknown
from execution.domain.lifecycle import SLICE_TERMINAL
from tests.brokers.alpaca_rig import settings

NOW = datetime(2026, 11, 20, 15, 0, 0, tzinfo=UTC)
DATE = format_datetime(NOW, usegmt=True)


def said(status: int, message: str, code: int = 40310000) -> rejections.ErrorAnswer:
    return rejections.error_answer(status, json.dumps({"code": code, "message": message}), {})


@pytest.mark.parametrize(
    ("status", "message", "code"),
    [
        (403, "insufficient buying power", "INSUFFICIENT_BUYING_POWER"),
        (403, "insufficient day trading buying power", "INSUFFICIENT_BUYING_POWER"),
        (
            403,
            "insufficient qty available for order (requested: 10, available: 5)",
            "INSUFFICIENT_SHARES",
        ),
        # Today under 403; in January 2024 it was 422 with another code.
        (403, "potential wash trade detected. use complex orders", "WASH_TRADE"),
        (422, "potential wash trade detected", "WASH_TRADE"),
        (403, "account is not allowed to short", "NOT_SHORTABLE"),
        (422, 'asset "ABC" cannot be sold short', "NOT_SHORTABLE"),
        (403, "trade denied due to pattern day trading protection", "DAY_TRADING_LIMIT"),
        (403, "account is restricted to liquidation only", "ACCOUNT_RESTRICTED"),
        (403, "account blocked", "ACCOUNT_RESTRICTED"),
        (422, 'asset "NOSUCH" not found', "NOT_TRADABLE"),
        (422, "asset ABC is not tradable", "NOT_TRADABLE"),
        (422, "asset ABC is not active", "NOT_TRADABLE"),
        (422, "asset ABC is not fractionable", "NOT_FRACTIONABLE"),
        (
            422,
            "invalid limit_price 1.005. sub-penny increment does not fulfill minimum pricing",
            "SUB_PENNY",
        ),
        (422, "extended hours order must be DAY limit orders", "EXTENDED_HOURS"),
        (422, "something that was never seen", "INVALID_ORDER"),
        (400, "request body format is invalid", "INVALID_ORDER"),
        (401, "request is not authorized", "NOT_AUTHORISED"),
        (403, "forbidden.", "FORBIDDEN"),
        (404, "endpoint not found.", "HTTP_404"),
    ],
)
def test_a_refusal_has_a_stable_code_and_alpacas_own_words(
    status: int, message: str, code: str
) -> None:
    error = rejections.placement_error(said(status, message))
    assert isinstance(error, BrokerRejected)
    assert (error.code, error.text, error.transient) == (code, message, False)


@pytest.mark.parametrize("status", [408, 409, 425, 500, 502, 503, 504, 599])
def test_a_status_that_may_come_after_the_acceptance_is_unknown(status: int) -> None:
    assert isinstance(rejections.placement_error(said(status, "sorry")), OutcomeUnknown)


@pytest.mark.parametrize(
    "body", ["", "<html>", "[]", "null", '"text"', '{"message": 5}', '{"msg": "x"}', "{"]
)
@pytest.mark.parametrize("status", [400, 403, 404, 422])
def test_a_refusal_that_is_not_in_alpacas_form_is_unknown(status: int, body: str) -> None:
    error = rejections.placement_error(rejections.error_answer(status, body, {}))
    assert isinstance(error, OutcomeUnknown)


@pytest.mark.parametrize(
    ("message", "duplicate"),
    [
        ("client_order_id must be unique", True),
        ("client order id must be unique", True),
        ("client-order-id must be unique", True),
        ("client_order_id is too long", False),
        ("position id must be unique", False),
    ],
)
def test_which_words_mean_that_the_order_arrived_before(message: str, duplicate: bool) -> None:
    error = rejections.placement_error(said(422, message, 40010001))
    assert isinstance(error, DuplicateOrder) == duplicate


@pytest.mark.parametrize(
    ("status", "message", "code"),
    [
        (422, 'order is already in "filled" state', "TOO_LATE"),
        (422, "order is not cancelable", "TOO_LATE"),
        (404, "order not found for 5f1c", "UNKNOWN_ORDER"),
        (401, "request is not authorized", "NOT_AUTHORISED"),
        (429, "too many requests.", "RATE_LIMITED"),
    ],
)
def test_why_a_cancel_was_refused(status: int, message: str, code: str) -> None:
    error = rejections.cancel_error(said(status, message, 0))
    assert isinstance(error, BrokerRejected)
    assert error.code == code


@pytest.mark.parametrize("status", [404, 500, 504])
def test_a_cancel_answered_by_somebody_else_is_unknown(status: int) -> None:
    error = rejections.cancel_error(rejections.error_answer(status, "<html>", {}))
    assert isinstance(error, OutcomeUnknown)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": "7", "X-RateLimit-Reset": "1"}, 7),
        ({"Retry-After": format_datetime(NOW + timedelta(seconds=9), usegmt=True)}, 9),
        ({"X-RateLimit-Reset": str(int(NOW.timestamp()) + 12)}, 12),
        ({"X-RateLimit-Reset": str(int(NOW.timestamp()) - 5)}, 0.1),
        ({"Retry-After": "99999"}, 120),
        ({"Retry-After": "nonsense"}, 5),
        ({"Retry-After": "\u00b2"}, 5),
        ({"Retry-After": "Mon, 01 Jan 2026 00:00:00 +999999999999"}, 5),
        ({"X-RateLimit-Reset": "\u00b2"}, 5),
        ({"X-RateLimit-Reset": "9" * 400}, 120),
        ({}, 5),
    ],
    ids=str,
)
def test_when_to_come_back_is_counted_on_the_brokers_clock(
    headers: dict[str, str], seconds: float
) -> None:
    error = rejections.placement_error(
        rejections.error_answer(429, '{"message": "too many requests."}', {"Date": DATE, **headers})
    )
    assert isinstance(error, BrokerRejected)
    assert (error.code, error.transient) == ("RATE_LIMITED", True)
    assert error.retry_after == pytest.approx(seconds)


def test_every_status_that_the_library_knows_has_a_meaning() -> None:
    assert {status.value for status in OrderStatus} <= set(messages.STATUSES)


def test_only_what_alpaca_calls_final_is_an_end() -> None:
    ends = {word for word, status in messages.STATUSES.items() if status in SLICE_TERMINAL}
    assert ends == {"filled", "canceled", "expired", "rejected", "replaced"}


ORDER = {
    "id": "o1",
    "client_order_id": "c1",
    "symbol": "AAPL",
    "side": "buy",
    "status": "new",
    "qty": "100",
    "filled_qty": "0",
    "submitted_at": "2026-11-20T15:00:00.123456789Z",
}


@pytest.mark.parametrize(
    "change",
    [
        {"status": None},
        {"status": "sleeping"},
        {"id": ""},
        {"client_order_id": 7},
        {"filled_qty": "0.5"},
        {"filled_qty": "-1"},
        {"filled_qty": "NaN"},
        {"filled_qty": None},
        {"qty": "many"},
        {"submitted_at": "yesterday"},
        {"submitted_at": None},
        {"submitted_at": "0001-01-01T00:00:00+14:00"},
        {"updated_at": "9999-12-31T23:59:59-14:00"},
        {"qty": "1e400"},
        {"filled_qty": "-Infinity"},
        {"filled_qty": str(10**30)},
    ],
    ids=str,
)
def test_an_order_that_cannot_be_understood_is_unknown(change: dict[str, object]) -> None:
    with pytest.raises(OutcomeUnknown):
        messages.seen_order({**ORDER, **change})


@pytest.mark.parametrize("price", ["0", "-1", "NaN", "Infinity", "1e30", None, "many"])
def test_an_execution_without_a_price_is_not_booked(price: object) -> None:
    row = {"id": "f1", "order_id": "o1", "qty": "5", "transaction_time": "2026-11-20T15:00:00Z"}
    assert messages.seen_fill({**row, "price": "150.25"}).price == Decimal("150.25")
    with pytest.raises(OutcomeUnknown):
        messages.seen_fill({**row, "price": price})


def test_an_orders_last_change_is_its_latest_stamp() -> None:
    stamps = {"updated_at": "2026-11-20T15:00:01Z", "canceled_at": "2026-11-20T10:00:02.5-05:00"}
    order = messages.seen_order({**ORDER, **stamps})
    assert order.submitted_at == NOW + timedelta(microseconds=123456)
    assert order.changed_at == NOW + timedelta(seconds=2.5)


PAPER = {"trading_mode": "paper"}
UNCONFIRMED = {"trading_mode": "live"}
CONFIRMED = {"trading_mode": "live", "live_trading_confirmed": True}


@pytest.mark.parametrize(
    ("url", "mode", "address"),
    [
        ("https://paper-api.alpaca.markets", PAPER, "https://paper-api.alpaca.markets"),
        ("https://paper-api.alpaca.markets/v2/", PAPER, "https://paper-api.alpaca.markets"),
        ("https://api.alpaca.markets", PAPER, None),
        ("https://api.alpaca.markets", UNCONFIRMED, None),
        ("https://API.Alpaca.Markets/v2", UNCONFIRMED, None),
        ("https://new-api.alpaca.markets", PAPER, None),
        ("https://api.alpaca.markets", CONFIRMED, "https://api.alpaca.markets"),
        ("http://127.0.0.1:8090", PAPER, "http://127.0.0.1:8090"),
        ("http://localhost:8090", PAPER, "http://localhost:8090"),
        ("http://paper-api.alpaca.markets", PAPER, None),
        ("http://10.0.0.5:8090", PAPER, None),
        ("https://alpaca.example.com/gate", PAPER, "https://alpaca.example.com/gate"),
        ("paper-api.alpaca.markets", PAPER, None),
        ("ftp://paper-api.alpaca.markets", PAPER, None),
        ("", PAPER, None),
    ],
)
def test_real_money_needs_two_switches_and_keys_need_https(
    url: str, mode: dict[str, object], address: str | None
) -> None:
    if address is None:
        with pytest.raises((ConfigError, ValidationError), match=r"(?i)alpaca_base_url"):
            endpoints.trading_url(settings(url, **mode))
    else:
        assert endpoints.trading_url(settings(url, **mode)) == address


@pytest.mark.parametrize(
    ("url", "stream"),
    [
        ("https://paper-api.alpaca.markets", "wss://paper-api.alpaca.markets/stream"),
        ("http://127.0.0.1:8090/v2", "ws://127.0.0.1:8090/stream"),
    ],
)
def test_the_stream_is_on_the_trading_host(url: str, stream: str) -> None:
    assert endpoints.stream_url(settings(url)) == stream


@pytest.mark.parametrize(
    ("url", "stream"),
    [
        ("https://data.alpaca.markets", "wss://stream.data.alpaca.markets/v2/sip"),
        ("https://data.sandbox.alpaca.markets", "wss://stream.data.sandbox.alpaca.markets/v2/sip"),
        ("http://127.0.0.1:8090/v2", "ws://127.0.0.1:8090/v2/sip"),
    ],
)
def test_market_data_are_streamed_by_a_host_of_their_own(url: str, stream: str) -> None:
    config = settings("http://127.0.0.1:8090", alpaca_data_url=url, alpaca_data_feed="sip")
    assert endpoints.data_stream_url(config) == stream


@pytest.mark.parametrize(
    ("url", "trial"),
    [
        ("https://paper-api.alpaca.markets", True),
        ("http://127.0.0.1:8090", True),
        ("https://api.alpaca.markets", False),
        ("https://alpaca.example.com", False),
    ],
)
def test_where_no_money_can_be_lost(url: str, trial: bool) -> None:
    assert endpoints.is_trial(url) == trial


def test_the_defaults_are_paper() -> None:
    assert endpoints.is_trial(Config().alpaca_base_url)
