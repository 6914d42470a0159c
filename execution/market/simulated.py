"""A market made of a seed: every process that knows it sees the same prices and volumes."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from hashlib import blake2b
from itertools import pairwise
from math import exp, sqrt
from operator import mul
from statistics import NormalDist

from deepstack.config import Config
from execution.domain.session import Session
from execution.market.base import Quote, TapeBar
from execution.market.calendar import always_open
from execution.market.tick_grid import touch_around
from execution.market.trading_halts import TradingHalts

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY_SECONDS = 86_400
STEP_SECONDS = 5  # the finest grid: between its points the mid is a straight line
MINUTE_STEPS = 60 // STEP_SECONDS
FINE_WINDOW = timedelta(minutes=30)

# Each octave is four times as fast as the one before and half as high, as in a random walk. Each
# period divides the slower ones, so that extremes of the path lie on the finest grid only.
OCTAVES = tuple(STEP_SECONDS * 4**power for power in range(7, -1, -1))
# The first octave's height in daily volatilities: the mid's change over a day then has a
# standard deviation of about one, and the mid stays within 2.6 of the base price for good.
FIRST_HEIGHT = 0.75 * sqrt(3)

VOLUME_NOISE = 0.5  # standard deviation of the log volume of one step
SIZE_STREAM, VOLUME_STREAM = 101, 102
MASK = 2**64 - 1
NORMAL = NormalDist()


class SimulatedMarket:
    """A pure function of (seed, symbol, time) and the known halts, open round the clock.

    `log(mid / base) = daily_volatility * sum of octaves of value noise`; the base price comes
    from the configuration or, for any other symbol, from the seed. Volume follows a U over the
    UTC day, `0.5 + 1.5 * (2x - 1)^2` of the average at the day's fraction x, times lognormal noise.
    """

    name = "simulated"

    def __init__(self, config: Config, halts: TradingHalts | None = None) -> None:
        self._halts = halts or TradingHalts()
        settings = config.market.simulated
        self._seed = settings.seed
        self._prices = {symbol: float(price) for symbol, price in settings.prices.items()}
        self._spread_bps = float(settings.spread_bps)
        self._volatility = settings.daily_volatility
        self._step_volume = settings.average_daily_volume * STEP_SECONDS / DAY_SECONDS
        self._displayed = config.paper.displayed_shares
        self._key = lru_cache(maxsize=1024)(self._make_key)
        # The same bars are asked for again and again while orders work.
        self._bar = lru_cache(maxsize=4096)(self._make_bar)

    def quote(self, symbol: str, at: datetime) -> Quote | None:
        """The quote at `at`, in a halt that of its beginning; sizes are half to one and a half
        `displayed_shares`."""
        key, base = self._key(symbol)
        halt = self._halts.at(symbol, at)
        made = halt.since if halt else at
        seconds = (made - EPOCH).total_seconds()
        bid, ask = touch_around(self._mid(key, base, seconds), self._spread_bps)
        step = int(seconds // STEP_SECONDS)
        return Quote(
            symbol=symbol,
            at=made,
            bid=bid,
            ask=ask,
            bid_size=self._size(key, 2 * step),
            ask_size=self._size(key, 2 * step + 1),
            halt=halt,
        )

    def bars(self, symbol: str, start: datetime, end: datetime) -> Sequence[TapeBar]:
        """Bars of five seconds for windows up to half an hour, of one minute for longer ones."""
        fine = end - start <= FINE_WINDOW
        steps = 1 if fine else MINUTE_STEPS
        length = timedelta(seconds=steps * STEP_SECONDS)
        first = -((EPOCH - start) // length)
        last = (end - EPOCH) // length
        return self._halts.traded(
            symbol, [self._bar(symbol, index, steps) for index in range(first, last)]
        )

    def printing(self, symbol: str, at: datetime) -> TapeBar | None:
        """The minute in progress at `at`, its future included: for the paper exchange alone."""
        bar = self._bar(symbol, (at - EPOCH) // timedelta(minutes=1), MINUTE_STEPS)
        return None if self._halts.touch(bar) else bar

    def session(self, at: datetime) -> Session | None:
        return always_open(at.astimezone(UTC).date())

    def next_session(self, at: datetime) -> Session:
        return always_open(at.astimezone(UTC).date() + timedelta(days=1))

    def _make_key(self, symbol: str) -> tuple[int, float]:
        digest = blake2b(f"{self._seed}:{symbol}".encode(), digest_size=16).digest()
        key = int.from_bytes(digest[:8], "big")
        share = int.from_bytes(digest[8:], "big") / 2**64
        return key, self._prices.get(symbol, round(20 + 380 * share, 2))

    def _mid(self, key: int, base: float, seconds: float) -> float:
        height, level = FIRST_HEIGHT, 0.0
        for octave, period in enumerate(OCTAVES):
            index, into = divmod(seconds, period)
            left = _height(key, octave, int(index))
            if into:
                left += (_height(key, octave, int(index) + 1) - left) * into / period
            level += height * left
            height /= 2
        return base * exp(self._volatility * level)

    def _size(self, key: int, index: int) -> int:
        return max(int(self._displayed * (0.5 + _uniform(key, SIZE_STREAM, index))), 1)

    def _make_bar(self, symbol: str, index: int, steps: int) -> TapeBar:
        key, base = self._key(symbol)
        first = index * steps
        mids = [self._mid(key, base, n * STEP_SECONDS) for n in range(first, first + steps + 1)]
        volumes = [self._volume(key, n) for n in range(first, first + steps)]
        floor, _ = touch_around(min(mids), self._spread_bps)
        _, ceiling = touch_around(max(mids), self._spread_bps)
        return TapeBar(
            symbol=symbol,
            start=EPOCH + timedelta(seconds=first * STEP_SECONDS),
            length=timedelta(seconds=steps * STEP_SECONDS),
            open=_within(mids[0], floor, ceiling),
            high=ceiling,
            low=floor,
            close=_within(mids[-1], floor, ceiling),
            volume=sum(volumes),
            vwap=_within(_vwap(mids, volumes), floor, ceiling),
        )

    def _volume(self, key: int, index: int) -> int:
        x = (index + 0.5) * STEP_SECONDS % DAY_SECONDS / DAY_SECONDS
        u_shape = 0.5 + 1.5 * (2 * x - 1) ** 2
        noise = VOLUME_NOISE * NORMAL.inv_cdf(_uniform(key, VOLUME_STREAM, index))
        return round(self._step_volume * u_shape * exp(noise - VOLUME_NOISE**2 / 2))


@lru_cache(maxsize=8192)
def _height(key: int, octave: int, index: int) -> float:
    return 2 * _uniform(key, octave, index) - 1


def _vwap(mids: Sequence[float], volumes: Sequence[int]) -> float:
    """Each step trades at the middle of its straight line."""
    prices = [(first + last) / 2 for first, last in pairwise(mids)]
    volume = sum(volumes)
    return sum(map(mul, prices, volumes)) / volume if volume else prices[0]


def _uniform(key: int, stream: int, index: int) -> float:
    """A number strictly between 0 and 1, by the finaliser of the splitmix64 generator."""
    mixed = (key + stream * 0xD1B54A32D192ED03 + index * 0x9E3779B97F4A7C15) & MASK
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & MASK
    return ((mixed ^ (mixed >> 31)) >> 12 | 1) / 2**52


def _within(price: float, low: Decimal, high: Decimal) -> Decimal:
    return min(max(Decimal(round(price * 10_000)).scaleb(-4), low), high)
