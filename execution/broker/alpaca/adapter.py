"""The Broker protocol on Alpaca's REST interface."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from alpaca.common.rest import RESTClient
from alpaca.trading.client import TradingClient

from deepstack import django_setup
from deepstack.config import Config, ConfigError
from execution.broker.alpaca import endpoints, messages, redis_cache
from execution.broker.alpaca.account_check import permissions
from execution.broker.alpaca.fills import Fills
from execution.broker.alpaca.http_client import HttpClient
from execution.broker.alpaca.orders import Orders
from execution.broker.alpaca.polling import Poller
from execution.broker.alpaca.rate_limit import Budget, Lanes
from execution.broker.alpaca.rejections import ErrorAnswer, cancel_error, placement_error
from execution.broker.base import (
    AccountState,
    BrokerOrder,
    BrokerRejected,
    BrokerUnavailable,
    OpenOrder,
    OutcomeUnknown,
    Ticket,
)
from execution.broker.connection_check import Finding, Grade
from execution.domain.limit_prices import SMALL_TICK, round_away

LONGEST_ID = 48  # characters; today's specification allows 128, the older one no more than this
LONGEST_SKEW = timedelta(seconds=10)
SKEW_COUNTS = 300.0  # seconds


class AlpacaBroker:
    """The one account that the keys belong to; `config.account` is our name for it.

    Raises ConfigError for missing keys or an address that may not be used.
    """

    name = "alpaca"

    def __init__(self, config: Config) -> None:
        django_setup.ensure()
        self.address = endpoints.trading_url(config)
        self.trial = endpoints.is_trial(self.address)
        self.account = config.account
        self._config = config
        _check_keys(config)
        redis = redis_cache.connect()
        key = f"alpaca:{redis_cache.owner(self.address, config.alpaca_api_key)}"
        self._cache = redis_cache.RedisCache(redis, key)
        self.budget = Budget(redis, key, config.alpaca_requests_per_minute)
        self.http = HttpClient(self._open_client, config, self.budget)
        self._fills = fills = Fills(self.http)
        self._orders = Orders(self.http, fills, self._cache, self.account)
        self._poller = Poller(self._orders, fills, self._cache, config.alpaca_requests_per_minute)

    def accounts(self) -> Sequence[str]:
        return (self.account,)

    def place(self, ticket: Ticket, *, now: datetime) -> BrokerOrder:
        """Send a limit order for the day. The answer names no executions: they are looked up."""
        body = messages.placement(ticket, self._admitted_price(ticket))
        self._check_clock()
        try:
            order = messages.seen_order(self.http.post("/orders", body, Lanes.SEND))
        except ErrorAnswer as said:
            raise placement_error(said) from said
        if order.client_order_id != ticket.client_order_id:
            raise OutcomeUnknown(
                f"sent {ticket.client_order_id}, answered for {order.client_order_id}"
            )
        self._cache.remember_id(order.client_order_id, order.id)
        return messages.answer(order, ())

    def cancel(self, client_order_id: str, *, now: datetime) -> None:
        """Ask for a cancel. Raises BrokerRejected with TOO_LATE for an order that has ended or
        cannot be cancelled now, and UNKNOWN_ORDER for one that Alpaca does not know."""
        order_id = self._cache.id_of(client_order_id) or self._id_of(client_order_id)
        try:
            self.http.delete(f"/orders/{order_id}", Lanes.CANCEL)
        except ErrorAnswer as said:
            raise cancel_error(said) from said

    def find(self, client_order_id: str, *, now: datetime) -> BrokerOrder | None:
        order = self._orders.by_client_id(client_order_id, Lanes.ASK)
        return None if order is None else self._orders.whole(order)

    def reports(self, account: str, since: datetime, *, now: datetime) -> Sequence[BrokerOrder]:
        """Raises TooSoon while the polls' share of the message budget is spent."""
        return self._poller.since(since, now=now) if account == self.account else ()

    def with_executions(self, order: messages.SeenOrder) -> BrokerOrder:
        """An order that the stream of trade updates showed, with its executions."""
        return self._orders.whole(order)

    def account_state(self, account: str, *, now: datetime) -> AccountState:
        state, positions, clock = (
            self.http.get(path, {}, Lanes.ASK) for path in ("/account", "/positions", "/clock")
        )
        return messages.account_state(self.account, state, positions, clock)

    def open_orders(self, account: str, *, now: datetime) -> Sequence[OpenOrder]:
        rows, _ = self._orders.listing({"status": "open"}, None, Lanes.ASK)
        return [messages.open_order(row) for row in rows]

    def examine(self) -> Iterator[Finding]:
        """Whether an order would leave, by what each placement asks before it does; whether its
        executions can be read; and what Alpaca allows this account."""
        yield self._sending()
        _, messages_taken = self._fills.since(datetime.now(UTC))
        words = f"executions can be read, in {messages_taken} message"
        yield Finding(Grade.GOOD, "activities", words)
        yield from permissions(self.http.get("/account", {}, Lanes.ASK), self.address, self._config)

    def _sending(self) -> Finding:
        try:
            self._check_clock()
        except BrokerUnavailable as error:
            return Finding(Grade.BAD, "sending", str(error))
        if closed := self.budget.closed_for():
            words = f"Alpaca takes no messages for another {closed:.0f} s (HTTP 429)"
            return Finding(Grade.BAD, "sending", words)
        return Finding(Grade.GOOD, "sending", "nothing of ours holds an order back")

    def _id_of(self, client_order_id: str) -> str:
        order = self._orders.by_client_id(client_order_id, Lanes.CANCEL)
        if order is None:
            raise BrokerRejected("UNKNOWN_ORDER", f"Alpaca knows no order {client_order_id}")
        return self._orders.whole(order, Lanes.CANCEL).broker_order_id

    def _admitted_price(self, ticket: Ticket) -> Decimal:
        """The limit on Alpaca's grid, rounded to the passive side."""
        if ticket.account != self.account:
            raise BrokerRejected(
                "WRONG_ACCOUNT", f"account = {ticket.account!r}: these keys trade {self.account!r}"
            )
        price = ticket.limit_price
        if problem := _problem(ticket):
            raise BrokerRejected("INVALID_ORDER", problem)
        rounded = round_away(price, 1 if ticket.side == "BUY" else -1)
        if rounded <= 0:
            raise BrokerRejected("INVALID_ORDER", f"limit_price = {price}: below {SMALL_TICK}")
        return rounded

    def _check_clock(self) -> None:
        """Raises BrokerUnavailable unless Alpaca's clock is known and near ours."""
        fresh = self.http.skew is not None and self.http.skew_age < SKEW_COUNTS
        if not fresh or abs(self.http.skew or timedelta(0)) > LONGEST_SKEW:
            self._ask_clock()
        skew = self.http.skew
        if skew is None or abs(skew) > LONGEST_SKEW:
            known = "is not known" if skew is None else f"is {skew.total_seconds():+.0f} s off ours"
            raise BrokerUnavailable(
                f"Alpaca's clock {known}; nothing is sent beyond "
                f"{LONGEST_SKEW.total_seconds():.0f} s"
            )

    def _ask_clock(self) -> None:
        """The client measures by each answer that has a `Date` header; this one has it in
        its body, too. Nothing of the placement has left yet."""
        before = self.http.skew_age
        try:
            answer = self.http.get("/clock", {}, Lanes.SEND)
            if self.http.skew_age >= before:  # no header
                self.http.note_clock(messages.clock(answer))
        except OutcomeUnknown as error:
            raise BrokerUnavailable(f"before the order left: {error}") from error

    def _open_client(self) -> RESTClient:
        return TradingClient(
            api_key=self._config.alpaca_api_key,
            secret_key=self._config.alpaca_secret_key.get_secret_value(),
            raw_data=True,
            url_override=self.address,
        )


def _check_keys(config: Config) -> None:
    if not config.alpaca_api_key or not config.alpaca_secret_key.get_secret_value():
        raise ConfigError("Alpaca needs ALPACA_API_KEY and ALPACA_SECRET_KEY, both of one account")


def _problem(ticket: Ticket) -> str:
    """What Alpaca would refuse for good; empty when there is nothing."""
    price = ticket.limit_price
    if ticket.side not in ("BUY", "SELL"):
        return f"side = {ticket.side!r}: BUY or SELL is allowed"
    if ticket.quantity <= 0:
        return f"quantity = {ticket.quantity}: a whole number of shares above 0 is allowed"
    if not price.is_finite() or price <= 0:
        return f"limit_price = {price}: a price above 0 is allowed"
    if not 0 < len(ticket.client_order_id) <= LONGEST_ID:
        return f"client_order_id = {ticket.client_order_id!r}: up to {LONGEST_ID} characters"
    return ""
