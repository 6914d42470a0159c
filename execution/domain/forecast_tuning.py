"""Which constants of the volume forecast would have kept VWAP orders closest to the market.

Chosen on the earlier sessions and judged on the later ones, which the choice has not seen; a gain
counts where its bootstrap interval over days lies above nothing (Efron, 1979, percentiles).
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from random import Random
from statistics import fmean, quantiles
from typing import Any

from execution.domain.forecast_orders import PastOrder, past_order
from execution.domain.past_sessions import PastSession
from execution.domain.volume_forecast import Constants

# Of each constant, what is tried in its turn while the others stay.
CANDIDATES: dict[str, tuple[Any, ...]] = {
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

Progress = Callable[[float], None]  # the share of the work that is done, from 0 to 1
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


def tune(
    past: Sequence[PastSession],
    used: Constants,
    times: Times,
    *,
    random: Random,
    progress: Progress = lambda _share: None,
) -> Tuned:
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
    work = _Work(progress, _lookups(used) * len(earlier) + len(later))
    proposed = _chosen(earlier, used, work)
    before, after = _errors(later, (used, proposed), work)
    return Tuned(
        proposed,
        (days[0], days[cut - 1]),
        (days[cut], days[-1]),
        (fmean(before.values()), fmean(after.values())),
        gain(before, after, random=random),
    )


@dataclass(slots=True)
class _Work:
    """How many orders were looked up, of how many; a lookup takes longer than all that is tried
    with it."""

    progress: Progress
    whole: int
    done: int = 0

    def step(self, lookups: int) -> None:
        self.done += lookups
        self.progress(min(self.done / self.whole, 1.0))


def _lookups(used: Constants) -> int:
    """Of each earlier order: once for each constant, and once more for each of its recent times."""
    return len(CANDIDATES) - 1 + len({used.recent_minutes, *CANDIDATES["recent_minutes"]})


def _orders(past: PastSession, times: Times) -> Iterator[PastOrder]:
    """One of the whole session, one of its last two hours, where anything traded."""
    close = past.session.close
    for start in (past.session.open, max(past.session.open, close - LAST_HOURS)):
        order = past_order(past, start, close, times(past, start, close))
        if order is not None:
            yield order


def _chosen(orders: Sequence[PastOrder], used: Constants, work: _Work) -> Constants:
    """One constant after the other, each with those before it already chosen."""
    best = used
    for name, values in CANDIDATES.items():
        tried = [best, *(replace(best, **{name: value}) for value in values)]
        errors = [fmean(each.values()) for each in _errors(orders, tried, work)]
        least = errors[0]
        for constants, error in zip(tried, errors, strict=True):
            if error < least - LEAST_GAIN:
                best, least = constants, error
    return best


def _errors(
    orders: Sequence[PastOrder], tried: Sequence[Constants], work: _Work
) -> list[dict[tuple[str, date], float]]:
    """By each of the constants, the mean over the orders of a symbol's day."""
    found: list[dict[tuple[str, date], list[float]]] = [defaultdict(list) for _ in tried]
    recent = {constants.recent_minutes for constants in tried}
    for order in orders:
        key = order.past.symbol, order.past.session.day
        sights = {minutes: order.sights(minutes) for minutes in recent}
        for constants, errors in zip(tried, found, strict=True):
            away = order.deviation_bps(sights[constants.recent_minutes], constants)
            errors[key].append(abs(away))
        work.step(len(recent))
    return [{key: fmean(parts) for key, parts in errors.items()} for errors in found]


def gain(before: Errors, after: Errors, *, random: Random) -> Gain:
    """By days drawn with replacement: what moves one symbol's day moves the others' too."""
    by_day: dict[date, list[float]] = {}
    for (symbol, day), error in before.items():
        by_day.setdefault(day, []).append(error - after[symbol, day])
    days = [fmean(parts) for parts in by_day.values()]
    drawn = [fmean(random.choices(days, k=len(days))) for _ in range(DRAWS)]
    edges = quantiles(drawn, n=40)
    return Gain(fmean(days), edges[0], edges[-1], len(days))
