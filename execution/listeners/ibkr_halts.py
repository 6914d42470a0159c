"""Trading halts as TWS reports them, of the symbols that orders of its accounts are worked in.

While there is no connection to TWS a halt that is known goes on; its end is heard after the next
one, as TWS tells the state of each symbol when it is subscribed to.
"""

import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import structlog
from django.db import Error, connection
from django.db.models import Min

from deepstack.config import Config
from execution.broker.ibkr.endpoint import ONLY_ONE, endpoint_of, trades_by_tws
from execution.broker.ibkr.halted_ticks import HaltedSeen, State
from execution.domain.lifecycle import ORDER_LIVE
from execution.market import halt_reports
from execution.market.halt_reports import HaltReport
from execution.models import IbkrGateway, MarketHalt, Order

log = structlog.get_logger(__name__)

SOURCE = "ibkr"
REASONS = {State.HALTED: "Trading halt", State.PAUSED: "Volatility (LULD) pause"}
LOOK_EVERY = 1.0  # seconds between two looks for the symbols that are wanted
LONGEST_STOP = 5.0  # seconds


class HaltListener:
    """A thread with a database connection of its own: what it waits for holds up no socket. Reports
    that could not be stored are kept until they can."""

    def __init__(self, config: Config) -> None:
        self._endpoint = endpoint_of(config)
        self._most = config.ibkr.market_data_lines
        self._watch: Callable[[Sequence[str]], None] = lambda symbols: None
        self._seen: queue.SimpleQueue[HaltedSeen | None] = queue.SimpleQueue()
        self._unstored: list[HaltedSeen] = []
        self._stopping = False
        self._look_at = 0.0
        self._told: set[str] = set()  # symbols without a line
        self._thread = threading.Thread(target=self._run, name="ibkr-halt-listener", daemon=True)

    def start(self, watch: Callable[[Sequence[str]], None]) -> None:
        """`watch` is given the symbols to hear of, and must not wait."""
        self._watch = watch
        self._thread.start()

    def stop(self) -> None:
        self._seen.put(None)
        self._thread.join(timeout=LONGEST_STOP)

    def hear(self, seen: HaltedSeen) -> None:
        """Never waits."""
        self._seen.put(seen)

    def _run(self) -> None:
        while not self._stopping:
            self._take()
            try:
                self._turn()
            except Error as error:
                log.warning("halts wait for PostgreSQL", error=str(error).strip())
                connection.close()
            except Exception:  # the thread must outlive it, or no halt were heard of any more
                log.exception("halts of TWS were not booked")
        connection.close()

    def _take(self) -> None:
        """What has arrived, or what the time until the next look brings."""
        patience = max(self._look_at - time.monotonic(), 0.0)
        try:
            self._note(self._seen.get(timeout=patience))
            while not self._stopping:
                self._note(self._seen.get_nowait())
        except queue.Empty:
            pass

    def _note(self, seen: HaltedSeen | None) -> None:
        if seen is None:
            self._stopping = True
        else:
            self._unstored.append(seen)

    def _turn(self) -> None:
        if time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + LOOK_EVERY
            self._watch(self._within_lines(wanted(self._endpoint)))
        if self._unstored:
            if news := list(changes(self._unstored, open_halts())):
                halt_reports.book(news, SOURCE)
            self._unstored.clear()

    def _within_lines(self, symbols: Sequence[str]) -> Sequence[str]:
        without = symbols[self._most :]
        self._told.intersection_update(symbols)
        if untold := [each for each in without if each not in self._told]:
            self._told.update(untold)
            log.warning("too many symbols to hear of their halts", most=self._most, without=untold)
        return symbols[: self._most]


def listener_of(config: Config) -> HaltListener | None:
    """None where TWS is not to be asked for halts."""
    asked = trades_by_tws(config) and config.ibkr.halts_from_tws
    return HaltListener(config) if asked else None


def wanted(endpoint: str) -> Sequence[str]:
    """Symbols with a halt that only TWS ends, then those of live orders of the login's accounts,
    the oldest order's first: whoever has a line keeps it."""
    accounts = _accounts(endpoint)
    live = Order.objects.filter(status__in=ORDER_LIVE, account__in=accounts).order_by()
    by_age = live.values("symbol").annotate(first=Min("pk")).order_by("first")
    symbols = by_age.values_list("symbol", flat=True)
    return list(dict.fromkeys((*sorted(open_halts()), *symbols)))


def open_halts() -> dict[str, str]:
    """The reason of each halt that TWS has reported and not ended, by symbol."""
    rows = MarketHalt.objects.filter(source=SOURCE, end_at__isnull=True)
    return dict(rows.values_list("symbol", "reason"))


def changes(seen: Iterable[HaltedSeen], known: Mapping[str, str]) -> Iterator[HaltReport]:
    """TWS repeats each state with every subscription; what is known already is no report."""
    reasons = dict(known)
    for each in seen:
        reason = REASONS.get(each.state, "")
        if reasons.get(each.symbol, "") == reason:
            continue
        reasons[each.symbol] = reason
        yield HaltReport(each.symbol, each.at, halted=bool(reason), reason=reason or "it trades")


def _accounts(endpoint: str) -> Sequence[str]:
    """As orders name them."""
    named = IbkrGateway.objects.filter(endpoint=endpoint).values_list("accounts", flat=True)
    accounts: Sequence[str] = named.first() or ()
    return (*accounts, ONLY_ONE) if len(accounts) == 1 else accounts
