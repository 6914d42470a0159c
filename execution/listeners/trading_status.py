"""Listens to the trading statuses that the source of market data reports, whichever broker trades.

It runs beside the loop of each dispatcher; one of them listens, since a source may allow one
connection. While nobody listens, halts that are known go on, and one that is not known shows as a
quote that grows old: nothing leaves by it either.
"""

import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from queue import Empty, SimpleQueue
from typing import Protocol

import structlog
from django.db import Error, connection
from django.utils import timezone
from django.utils.module_loading import import_string

from deepstack.config import Config, current
from deepstack.database.advisory_locks import HALTS, try_session_lock
from execution.domain.lifecycle import ORDER_LIVE
from execution.market import halt_reports, market_data
from execution.market.base import MINUTE, MarketData, MarketDataUnavailable
from execution.market.halt_reports import HaltReport
from execution.models import MarketHalt, Order

log = structlog.get_logger(__name__)

# By the source of market data; one without a feed leaves halts to people.
FEEDS: Mapping[str, str] = {"alpaca": "execution.broker.alpaca.trading_status.Statuses"}

TURN = 0.25  # seconds; reports that come within it are booked together
STANDBY_TURN = 2.0  # seconds, while another process listens or PostgreSQL is away
MISSED_EVERY = 15.0  # seconds between two looks for resumptions that nobody heard of


class Feed(Protocol):
    """Made of the configuration and two callbacks: for each report, and for each connection."""

    @property
    def thread(self) -> "FeedThread": ...


class FeedThread(Protocol):
    @property
    def alive(self) -> bool: ...
    def start(self) -> None: ...
    def end(self) -> None: ...


class TradingStatusListener:
    """Reports that could not be stored are kept until they can."""

    def __init__(
        self, config: Config, feed: str, market: MarketData, ended: threading.Event
    ) -> None:
        self._config = config
        self._feed = feed
        self._source = config.market.source
        self._market = market
        self._ended = ended
        self._reports: SimpleQueue[HaltReport] = SimpleQueue()
        self._unstored: list[HaltReport] = []
        self._listening_since: datetime | None = None
        self._look_after = 0.0

    def run(self) -> None:
        """Until the event is set."""
        while not self._ended.is_set():
            try:
                if try_session_lock(HALTS):
                    self._listen()
            except Error as error:
                connection.close()  # and with it the lock
                log.warning("trading statuses wait for PostgreSQL", error=str(error).strip())
            except Exception:  # the lock stays here, so that no other process would listen
                log.exception("listening to trading statuses failed")
            self._ended.wait(STANDBY_TURN)

    def _listen(self) -> None:
        feed_class: Callable[..., Feed] = import_string(self._feed)
        feed = feed_class(self._config, self._reports.put, self._note_listening)
        feed.thread.start()
        try:
            while feed.thread.alive and not self._ended.is_set():
                self._turn()
        finally:
            feed.thread.end()
            self._listening_since = None

    def _turn(self) -> None:
        self._take()
        if self._unstored:
            halt_reports.book(self._unstored, self._source)
            self._unstored.clear()
        if time.monotonic() >= self._look_after:
            self._look_after = time.monotonic() + MISSED_EVERY
            self._end_missed()

    def _take(self) -> None:
        try:
            self._unstored.append(self._reports.get(timeout=TURN))
            while True:
                self._unstored.append(self._reports.get_nowait())
        except Empty:
            pass

    def _note_listening(self) -> None:
        self._listening_since = timezone.now()
        self._look_after = 0.0
        log.info("listening to trading statuses", source=self._source)

    def _end_missed(self) -> None:
        """A symbol that trades is not halted: its resumption came while nobody listened."""
        since = self._listening_since
        if since is None:
            return
        live = Order.objects.filter(status__in=ORDER_LIVE).values("symbol")
        open_halts = MarketHalt.objects.filter(
            source=self._source, end_at__isnull=True, start_at__lt=since, symbol__in=live
        )
        for row in open_halts:
            if traded_at := self._traded_after(row):
                halt_reports.book(
                    [HaltReport(row.symbol, traded_at, halted=False, reason="it trades")],
                    self._source,
                )

    def _traded_after(self, row: MarketHalt) -> datetime | None:
        """The first whole minute after the halt began in which the symbol traded."""
        begins = row.start_at.replace(second=0, microsecond=0) + timedelta(minutes=1)
        now = timezone.now()
        if now - begins < MINUTE:
            return None
        try:
            bars = self._market.bars(row.symbol, begins, now)
        except MarketDataUnavailable as error:
            log.warning("cannot tell whether it trades", symbol=row.symbol, error=str(error))
            return None
        return next((bar.start for bar in bars if bar.volume), None)


def run(ended: threading.Event) -> None:
    """Returns at once where the source has no feed of halts, or is not to be asked."""
    config = current()
    if feed := feed_of(config):
        TradingStatusListener(config, feed, market_data(), ended).run()


def feed_of(config: Config) -> str | None:
    market = config.market
    return FEEDS.get(market.source) if market.halts_from_source else None
