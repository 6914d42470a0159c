"""A market made of stored one-minute bars, shown as slowly as it happened."""

from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from deepstack import django_setup
from deepstack.config import Config
from execution.domain.exchange_time import day_begins, exchange_day
from execution.domain.session import Session
from execution.market.base import Quote, TapeBar, typical
from execution.market.calendar import ExchangeCalendar
from execution.market.tick_grid import touch_around
from execution.market.trading_halts import TradingHalts

django_setup.ensure()

from execution.models import Bar  # noqa: E402

MINUTE = timedelta(minutes=1)
LAST_CLOSE_REACH = timedelta(days=5)
DAYS_HELD = 64


@dataclass(frozen=True, slots=True)
class _Day:
    starts: Sequence[datetime]
    bars: Sequence[TapeBar]


class ReplayMarket:
    """The bars of the database on the calendar of the exchange.

    Bars are made of trades, not of quotes. The last close stands as the mid of a quote that is in
    force until `quote_grace_seconds` after its minute ended, and grows old from then on: gaps of
    a few minutes are ordinary in a thin name, a longer silence is missing data, or a halt that
    nobody has entered. In a halt that is known nothing trades, whatever the bars say.
    """

    name = "replay"

    def __init__(self, config: Config, halts: TradingHalts | None = None) -> None:
        self._halts = halts or TradingHalts()
        self._spread_bps = float(config.market.replay.spread_bps)
        self._grace = timedelta(seconds=config.market.replay.quote_grace_seconds)
        self._displayed = config.paper.displayed_shares
        self._calendar = ExchangeCalendar()
        self._days: OrderedDict[tuple[str, date], _Day] = OrderedDict()
        self._before: dict[tuple[str, date], TapeBar | None] = {}

    def quote(self, symbol: str, at: datetime) -> Quote | None:
        """A quote around the close of the last minute that had ended by `at`.

        Before the day's first bar it is the close of up to five days ago, at its own age.
        """
        last = self._last_ended(symbol, at)
        if last is None:
            return None
        bid, ask = touch_around(float(last.close), self._spread_bps)
        return Quote(
            symbol=symbol,
            at=min(at, last.end + self._grace),
            bid=bid,
            ask=ask,
            bid_size=self._displayed,
            ask_size=self._displayed,
            halt=self._halts.at(symbol, at),
        )

    def bars(self, symbol: str, start: datetime, end: datetime) -> Sequence[TapeBar]:
        """The stored minutes; one without a trade has none. Without a stored VWAP a bar has
        (high + low + close) / 3; a stored one may lie outside high and low, as odd lots count."""
        first, last = exchange_day(start), exchange_day(end)
        if first != last:
            return self._halts.traded(symbol, _load(symbol, start, end))
        day = self._day(symbol, first)
        inside = slice(bisect_left(day.starts, start), bisect_right(day.starts, end - MINUTE))
        return self._halts.traded(symbol, day.bars[inside])

    def printing(self, symbol: str, at: datetime) -> TapeBar | None:
        """The minute in progress at `at`, its future included: for the paper exchange alone."""
        day = self._day(symbol, exchange_day(at))
        index = bisect_right(day.starts, at) - 1
        if index < 0 or at >= day.bars[index].end or self._halts.touch(day.bars[index]):
            return None
        return day.bars[index]

    def session(self, at: datetime) -> Session | None:
        return self._calendar.session(at)

    def next_session(self, at: datetime) -> Session:
        return self._calendar.next_session(at)

    def _last_ended(self, symbol: str, at: datetime) -> TapeBar | None:
        today = exchange_day(at)
        day = self._day(symbol, today)
        ended = bisect_right(day.starts, at - MINUTE)
        latest_first = (day.bars[index] for index in reversed(range(ended)))
        traded = (bar for bar in latest_first if not self._halts.touch(bar))
        return next(traded, None) or self._close_before(symbol, today)

    def _day(self, symbol: str, day: date) -> _Day:
        """One symbol's day, read once; a day without bars is asked for again, as they may come."""
        held = self._days.get((symbol, day))
        if held is None:
            bars = _load(symbol, day_begins(day), day_begins(day + timedelta(days=1)))
            held = _Day([bar.start for bar in bars], bars)
            if bars:
                self._days[symbol, day] = held
                while len(self._days) > DAYS_HELD:
                    self._days.popitem(last=False)
        return held

    def _close_before(self, symbol: str, day: date) -> TapeBar | None:
        key = (symbol, day)
        if self._before.get(key) is None:
            midnight = day_begins(day)
            row = (
                Bar.objects.filter(
                    symbol=symbol, start_at__gte=midnight - LAST_CLOSE_REACH, start_at__lt=midnight
                )
                .order_by("-start_at")
                .first()
            )
            self._before[key] = _tape(row) if row else None
        return self._before[key]


def _load(symbol: str, start: datetime, end: datetime) -> list[TapeBar]:
    rows = Bar.objects.filter(symbol=symbol, start_at__gte=start, start_at__lte=end - MINUTE)
    return [_tape(row) for row in rows.order_by("start_at").iterator()]


def _tape(row: Bar) -> TapeBar:
    vwap = row.vwap if row.vwap is not None else round(typical(row.high, row.low, row.close), 6)
    return TapeBar(
        symbol=row.symbol,
        start=row.start_at,
        length=MINUTE,
        open=row.open,
        high=row.high,
        low=row.low,
        close=row.close,
        volume=row.volume,
        vwap=vwap,
    )
