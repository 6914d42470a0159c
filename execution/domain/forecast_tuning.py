"""Which constants of the volume forecast would have kept VWAP orders closest to the market.

Chosen on the earlier sessions and judged on the later ones, which the choice has not seen; a gain
counts where its bootstrap interval over days lies above nothing (Efron, 1979, percentiles).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from random import Random
from statistics import fmean, quantiles

from execution.domain.past_sessions import PastSession
from execution.domain.traded_sessions import MINUTE
from execution.domain.volume_forecast import Constants, dynamic_target
from execution.domain.volume_grid import aimed_at, believed

# Of each constant, what is tried in its turn while the others stay.
CANDIDATES: dict[str, tuple[float, ...]] = {
    "day_persistence": (0.5, 0.65, 0.8, 0.95),
    "recent_persistence": (0.0, 0.15, 0.3, 0.45),
    "recent_minutes": (30, 60, 90, 120),
    "closing_persistence": (0.25, 0.5, 0.75, 1.0),
    "prior_share": (0.03, 0.07, 0.15),
}
LAST_HOURS = timedelta(hours=2)  # the second window that orders are tried in: until the close
CHOSEN_ON = 0.5  # of the sessions, the earlier ones
FEWEST_DAYS = 10  # on either side
LEAST_GAIN = 0.001  # bps for which a constant is changed; below it is rounding
DRAWS = 2_000
_BPS = 10_000

Times = Callable[[PastSession, datetime, datetime], Sequence[datetime]]  # of the slices of a plan
Errors = Mapping[tuple[str, date], float]  # bps from the market's VWAP, by symbol and day


class TooFewSessions(ValueError):
    """There is not enough to choose and to judge by."""


@dataclass(frozen=True, slots=True)
class Gain:
    """Bps by which orders ended closer to the market's VWAP; 95 % interval over days."""

    mean: float
    low: float
    high: float
    days: int


@dataclass(frozen=True, slots=True)
class Tuned:
    """`error`: the mean absolute deviation of the judged sessions in bps, with the constants in
    use and with the proposed ones."""

    proposed: Constants
    chosen_on: tuple[date, date]
    judged_on: tuple[date, date]
    error: tuple[float, float]
    gain: Gain

    @property
    def better(self) -> bool:
        return self.gain.low > 0


@dataclass(frozen=True, slots=True)
class _Order:
    """To be worked again in [start, end), by slices that were due at `times`."""

    past: PastSession
    start: datetime
    end: datetime
    times: Sequence[datetime]


def tune(past: Sequence[PastSession], used: Constants, times: Times, *, random: Random) -> Tuned:
    """Raises TooFewSessions."""
    days = sorted({one.session.day for one in past})
    cut = int(len(days) * CHOSEN_ON)
    if cut < FEWEST_DAYS:
        raise TooFewSessions(
            f"{len(days)} sessions can be worked again, each with those before it known; at least"
            f" {2 * FEWEST_DAYS} are needed, half to choose by and half to judge by"
        )
    orders = [order for one in past for order in _orders(one, times)]
    earlier = [order for order in orders if order.past.session.day < days[cut]]
    later = [order for order in orders if order.past.session.day >= days[cut]]
    proposed = _chosen(earlier, used)
    before = _errors(later, used)
    after = before if proposed == used else _errors(later, proposed)
    return Tuned(
        proposed,
        (days[0], days[cut - 1]),
        (days[cut], days[-1]),
        (fmean(before.values()), fmean(after.values())),
        gain(before, after, random=random),
    )


def _orders(past: PastSession, times: Times) -> Iterator[_Order]:
    """One of the whole session, one of its last two hours."""
    close = past.session.close
    for start in (past.session.open, max(past.session.open, close - LAST_HOURS)):
        yield _Order(past, start, close, times(past, start, close))


def _chosen(orders: Sequence[_Order], used: Constants) -> Constants:
    """One constant after the other, each with those before it already chosen."""
    best, least = used, fmean(_errors(orders, used).values())
    for name, values in CANDIDATES.items():
        for value in values:
            tried = Constants(**asdict(best) | {name: value})
            if tried == best:
                continue
            error = fmean(_errors(orders, tried).values())
            if error < least - LEAST_GAIN:
                best, least = tried, error
    return best


def _errors(orders: Sequence[_Order], constants: Constants) -> Errors:
    """The mean over the orders of a symbol's day in whose window anything traded."""
    found: dict[tuple[str, date], list[float]] = {}
    for order in orders:
        away = deviation_bps(order.past, order.start, order.end, order.times, constants)
        if away is not None:
            found.setdefault((order.past.symbol, order.past.session.day), []).append(abs(away))
    return {key: fmean(parts) for key, parts in found.items()}


def deviation_bps(
    past: PastSession,
    start: datetime,
    end: datetime,
    times: Sequence[datetime],
    constants: Constants,
) -> float | None:
    """What an order paid on average in [start, end), over the market's VWAP: its slices, aimed anew
    by the minutes that have ended when they are due, trade at the average price of their first
    minute with a trade. None where the market did not trade."""
    opened, volumes, prices = past.session.open, past.traded.volumes, past.traded.prices
    first, last = (start - opened) // MINUTE, (end - opened) // MINUTE
    traded = sum(volumes[first:last])
    if not traded:
        return None
    value = sum(v * p for v, p in zip(volumes[first:last], prices[first:last], strict=True))
    paid = done = 0.0
    for due, following in zip(times, (*times[1:], end), strict=True):
        minute = (due - opened) // MINUTE
        share = dynamic_target(
            past.profile,
            past.session,
            start=start,
            end=end,
            until=end if following == end else aimed_at(due, following),
            minutes=believed(volumes[:minute]),
            minutes_from=opened,
            daily_volume=past.mean_volume,
            today=past.expected_volume,
            constants=constants,
        )
        part = max(share - done, 0.0)
        done += part
        paid += part * prices[_next_trade(volumes, minute, first, last)]
    return (paid * traded / value - 1) * _BPS


def _next_trade(volumes: Sequence[int], minute: int, first: int, last: int) -> int:
    """The first minute with a trade from this one on; at the end of a window the last before it."""
    minutes = [*range(minute, last), *range(minute - 1, first - 1, -1)]
    found: int = next(index for index in minutes if volumes[index])
    return found


def gain(before: Errors, after: Errors, *, random: Random) -> Gain:
    """By days drawn with replacement: what moves one symbol's day moves the others' too."""
    by_day: dict[date, list[float]] = {}
    for (symbol, day), error in before.items():
        by_day.setdefault(day, []).append(error - after[symbol, day])
    days = [fmean(parts) for parts in by_day.values()]
    drawn = [fmean(random.choices(days, k=len(days))) for _ in range(DRAWS)]
    edges = quantiles(drawn, n=40)
    return Gain(fmean(days), edges[0], edges[-1], len(days))
