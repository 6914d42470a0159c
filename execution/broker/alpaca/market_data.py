"""Quotes and minute bars from Alpaca's market data."""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

from alpaca.common.rest import RESTClient
from alpaca.data.historical import StockHistoricalDataClient
from redis import Redis
from redis.exceptions import RedisError

from deepstack import django_setup
from deepstack.config import Config, ConfigError
from execution.broker.alpaca import endpoints, redis_cache
from execution.broker.alpaca.http_client import HttpClient
from execution.broker.alpaca.rate_limit import Budget, Lanes
from execution.broker.base import BrokerError
from execution.domain.reading import MAX_PRICE
from execution.domain.reconciliation import STOPPING_SKEW
from execution.domain.session import Session
from execution.market.base import MarketDataUnavailable, Quote, TapeBar
from execution.market.calendar import ExchangeCalendar
from execution.market.trading_halts import TradingHalts

MINUTE = timedelta(minutes=1)
# An answer about now serves every process for so long; a quote keeps its own age all the while.
QUOTE_SERVES = timedelta(seconds=1)
BARS_SERVE = timedelta(seconds=10)
# Minutes this old are corrected no more.
SETTLED_AFTER, SETTLED_SERVES = timedelta(minutes=5), timedelta(hours=1)
# While the source is away the last quote stands; whoever asks sees how old it is.
QUOTE_STANDS = timedelta(minutes=1)
PRESENT = timedelta(seconds=5)  # a question about an earlier moment is one about history
QUOTE_REACH = timedelta(minutes=15)
PAGE, MOST_PAGES = 10_000, 100
PRICES = (("open", "o"), ("high", "h"), ("low", "l"), ("close", "c"), ("vwap", "vw"))

T = TypeVar("T")


class AlpacaMarket:
    """The feed that `alpaca_data_feed` names, on the calendar of the exchange.

    `whole_tape`: whether volumes are those of all exchanges. IEX alone has 2 to 3 % of them, and
    not the same share in every name and minute: its volumes are given as they are, never scaled up.
    Alpaca reports halts by its stream alone: `execution.listeners.trading_status`.
    """

    name = "alpaca"

    def __init__(self, config: Config, halts: TradingHalts | None = None) -> None:
        self._halts = halts or TradingHalts()
        django_setup.ensure()
        self.address = endpoints.data_url(config)
        self.feed = config.alpaca_data_feed
        self.whole_tape = self.feed == "sip"
        self._config = config
        if not config.alpaca_api_key or not config.alpaca_secret_key:
            raise ConfigError("market.source = 'alpaca' needs ALPACA_API_KEY and ALPACA_SECRET_KEY")
        redis = redis_cache.connect()
        key = f"alpaca-data:{redis_cache.owner(self.address, config.alpaca_api_key)}"
        self._held = _Held(redis, f"{key}:{self.feed}")
        budget = Budget(redis, key, config.alpaca_data_requests_per_minute)
        self._http = HttpClient(self._open_client, config, budget)
        self._calendar = ExchangeCalendar()

    def quote(self, symbol: str, at: datetime) -> Quote | None:
        """The latest quote, or for a moment that is past, the one in force then.

        None when a side is missing. Raises MarketDataUnavailable.
        """
        now = datetime.now(UTC)
        if now - at > PRESENT:
            rows = self._read(
                "quotes", symbol, at - QUOTE_REACH, at, {"sort": "desc", "limit": "1"}, pages=1
            )
            row = rows[0] if rows else None
        else:
            row = self._latest(symbol, now)
        quote = _quote(symbol, row) if row else None
        if quote is None:
            return None
        if quote.at - max(at, now) > STOPPING_SKEW:
            ahead = f"{(quote.at - now).total_seconds():,.0f} s ahead of our clock"
            raise MarketDataUnavailable(f"Alpaca: the quote of {symbol} is stamped {ahead}")
        # It may have been made while it was asked for.
        return replace(quote, at=min(quote.at, at), halt=self._halts.at(symbol, at))

    def bars(self, symbol: str, start: datetime, end: datetime) -> Sequence[TapeBar]:
        """Bars of one minute; a minute without a trade has none. Raises MarketDataUnavailable."""
        first = -(-start.timestamp() // 60)
        last = min(end, datetime.now(UTC)).timestamp() // 60 - 1
        if last < first:
            return []
        since, until = (datetime.fromtimestamp(60 * minute, UTC) for minute in (first, last))
        settled = datetime.now(UTC) - until > SETTLED_AFTER
        rows = self._held.or_else(
            f"bars:{symbol}:{first:.0f}:{last:.0f}",
            SETTLED_SERVES if settled else BARS_SERVE,
            lambda: self._read("bars", symbol, since, until, {"timeframe": "1Min"}),
        )
        return [_bar(symbol, row) for row in rows]

    def session(self, at: datetime) -> Session | None:
        return self._calendar.session(at)

    def next_session(self, at: datetime) -> Session:
        return self._calendar.next_session(at)

    def _latest(self, symbol: str, now: datetime) -> Mapping[str, Any] | None:
        held: tuple[datetime, Mapping[str, Any] | None] | None = self._held.get(f"quote:{symbol}")
        if held and now - held[0] <= QUOTE_SERVES:
            return held[1]
        try:
            answer = self._get(
                "/stocks/quotes/latest", {"symbols": symbol, "feed": self.feed}, Lanes.ASK
            )
        except MarketDataUnavailable:
            if held:
                return held[1]
            raise
        row: Mapping[str, Any] | None = _part(answer, "quotes").get(symbol)
        self._held.keep(f"quote:{symbol}", row, QUOTE_STANDS)
        return row

    def _read(
        self,
        kind: str,
        symbol: str,
        start: datetime,
        end: datetime,
        more: Mapping[str, str],
        pages: int = MOST_PAGES,
    ) -> list[Mapping[str, Any]]:
        """All rows of one symbol; the next page is asked for as long as there is one."""
        asked = {
            "symbols": symbol,
            "feed": self.feed,
            "start": _stamp(start),
            "end": _stamp(end),
            "limit": str(PAGE),
            **more,
        }
        rows: list[Mapping[str, Any]] = []
        for _ in range(pages):
            answer = self._get(f"/stocks/{kind}", asked, Lanes.POLL)
            rows += _rows(_part(answer, kind).get(symbol) or [])
            token = answer.get("next_page_token")
            if not token or pages == 1:
                return rows
            asked["page_token"] = str(token)
        raise MarketDataUnavailable(f"{kind} of {symbol}: more than {MOST_PAGES} pages")

    def _get(self, path: str, asked: Mapping[str, str], lane: Lanes) -> Mapping[str, Any]:
        try:
            answer = self._http.get(path, asked, lane)
        except BrokerError as error:
            raise MarketDataUnavailable(f"Alpaca: {error}") from error
        if not isinstance(answer, dict):
            raise MarketDataUnavailable(f"Alpaca: not an object but {str(answer)[:100]!r}")
        return answer

    def _open_client(self) -> RESTClient:
        return StockHistoricalDataClient(
            api_key=self._config.alpaca_api_key,
            secret_key=self._config.alpaca_secret_key.get_secret_value(),
            raw_data=True,
            url_override=self.address,
        )


class _Held:
    """Answers kept in Redis with the moment they were given; without Redis nothing is kept."""

    def __init__(self, redis: Redis, key: str) -> None:
        self._redis = redis
        self._key = key

    def get(self, name: str) -> tuple[datetime, Any] | None:
        with suppress(RedisError, ValueError):
            text = self._redis.get(f"{self._key}:{name}")
            if text:
                given, answer = json.loads(text)
                return datetime.fromisoformat(given), answer
        return None

    def keep(self, name: str, answer: object, serves: timedelta) -> None:
        text = json.dumps([datetime.now(UTC).isoformat(), answer])
        with suppress(RedisError):
            self._redis.set(f"{self._key}:{name}", text, ex=serves)

    def or_else(self, name: str, serves: timedelta, ask: Callable[[], T]) -> T:
        held = self.get(name)
        if held is not None:
            kept: T = held[1]
            return kept
        answer = ask()
        self.keep(name, answer, serves)
        return answer


def _part(answer: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = answer.get(name)
    if not isinstance(part, dict):
        raise MarketDataUnavailable(f"Alpaca: {name} = {str(part)[:100]!r}")
    return part


def _rows(found: Any) -> list[Mapping[str, Any]]:
    if not isinstance(found, list):
        raise MarketDataUnavailable(f"Alpaca: not a list but {str(found)[:100]!r}")
    return found


def _quote(symbol: str, row: Mapping[str, Any]) -> Quote | None:
    """A price of zero says that nobody bids, or offers; one beyond all prices says no more."""
    try:
        bid, ask = Decimal(str(row["bp"])), Decimal(str(row["ap"]))
        if not (0 < bid <= MAX_PRICE and 0 < ask <= MAX_PRICE):
            return None
        return Quote(symbol, _moment(row["t"]), bid, ask, _count(row["bs"]), _count(row["as"]))
    except (KeyError, ValueError, ArithmeticError, TypeError) as error:
        raise MarketDataUnavailable(f"Alpaca: a quote that cannot be read: {row}") from error


def _bar(symbol: str, row: Mapping[str, Any]) -> TapeBar:
    try:
        prices = {name: Decimal(str(row[short])) for name, short in PRICES}
        if not all(0 < price <= MAX_PRICE for price in prices.values()):
            raise ValueError(f"prices of no share: {prices}")
        return TapeBar(
            symbol=symbol,
            start=_moment(row["t"]),
            length=MINUTE,
            volume=_count(row["v"]),
            **prices,
        )
    except (KeyError, ValueError, ArithmeticError, TypeError) as error:
        raise MarketDataUnavailable(f"Alpaca: a bar that cannot be read: {row}") from error


def _count(value: Any) -> int:
    if (count := int(value)) < 0:
        raise ValueError(f"shares below zero: {value}")
    return count


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:  # Python would take it for the time of this machine
        raise ValueError(f"a time without its zone: {text}")
    return moment.astimezone(UTC)


def _stamp(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
