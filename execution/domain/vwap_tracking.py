"""How far from the market's VWAP an order may be expected to end that is executed well."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import accumulate, pairwise
from math import ceil, floor, sqrt
from statistics import fmean

from execution.domain.algorithms import registry
from execution.domain.algorithms.base import PlannedSlice
from execution.domain.costs import BPS
from execution.domain.session import Session
from execution.domain.traded_sessions import TradedDay
from execution.domain.volume_profile import FEWEST_SESSIONS

STEPS = 13  # of a session: half-hours of a regular one
DIGITS = 3

# [i][j]: from step i until the end of step i + j; bps, None where too few sessions traded in it.
Deviations = Sequence[Sequence[float | None]]


def learn_deviations(days: Sequence[TradedDay]) -> dict[str, list[list[float | None]]]:
    """Of sessions of equal length: the root mean square over them of a schedule's average price
    against the market's VWAP, for every window between two steps of the session.

    The schedule trades in each minute at that minute's average price: "profile" the mean shape of
    the other sessions, so that none is forecast by itself; "even" the same in every minute. Empty
    for fewer than five sessions.
    """
    if len(days) < FEWEST_SESSIONS:
        return {}
    shapes = [[volume / sum(day.volumes) for volume in day.volumes] for day in days]
    whole = [sum(column) for column in zip(*shapes, strict=True)]
    others = [[all_ - own for all_, own in zip(whole, shape, strict=True)] for shape in shapes]
    even = [[1.0] * len(whole)] * len(days)
    return {"profile": _deviations(days, others), "even": _deviations(days, even)}


def expected_deviation_bps(
    learned: Mapping[str, Deviations],
    algorithm: str,
    session: Session,
    plan: Sequence[PlannedSlice],
    *,
    end: datetime,
    daily_volatility: float | None,
    spread_bps: float,
) -> float | None:
    """The standard deviation of the average price of a plan until `end` against the market's VWAP:

        sqrt(curve^2 + sum((q_k / Q)^2 * sigma^2 * tau_k / 3) + (spread / 2)^2)

    `curve`: how far the schedule strayed in the learned sessions, in the steps that the plan
    touches. tau_k: the time until the next slice, in sessions, of which it trades at one moment.
    None where nothing was learned, or the algorithm follows no VWAP.
    """
    curve = _curve(learned.get(_schedule_of(algorithm), ()), session, plan[0].due_at, end)
    if curve is None:
        return None
    moments = (daily_volatility or 0.0) ** 2 * _moments(plan, session, end) * BPS**2
    return sqrt(curve**2 + moments + spread_bps**2 / 4)


def _schedule_of(algorithm: str) -> str:
    """The learned schedule that its orders are compared with; empty for none."""
    kind = registry.of(algorithm)
    if not kind.vwap_benchmark:
        return ""
    return "profile" if kind.by_profile else "even"


def _moments(plan: Sequence[PlannedSlice], session: Session, end: datetime) -> float:
    """sum((q_k / Q)^2 * tau_k / 3)"""
    whole = sum(part.quantity for part in plan)
    times = [*(part.due_at for part in plan), end]
    lengths = [(after - before) / session.length for before, after in pairwise(times)]
    pairs = zip(plan, lengths, strict=True)
    return sum((part.quantity / whole) ** 2 * length / 3 for part, length in pairs)


def _curve(
    deviations: Deviations, session: Session, start: datetime, end: datetime
) -> float | None:
    if not deviations or session.always:
        return None
    first = floor((start - session.open) / session.length * STEPS)
    last = ceil((end - session.open) / session.length * STEPS)
    if not 0 <= first < last <= STEPS:
        return None
    return deviations[first][last - first - 1]


def _deviations(
    days: Sequence[TradedDay], weights: Sequence[Sequence[float]]
) -> list[list[float | None]]:
    errors = [_errors(day, each) for day, each in zip(days, weights, strict=True)]
    return [
        [_rms([day[first][length] for day in errors]) for length in range(STEPS - first)]
        for first in range(STEPS)
    ]


def _errors(day: TradedDay, weights: Sequence[float]) -> list[list[float | None]]:
    """In bps, by first step and number of further steps; None where nothing traded."""
    minutes = len(day.volumes)
    edges = [minutes * step // STEPS for step in range(STEPS + 1)]
    ours, market = _reached(day.prices, weights, edges), _reached(day.prices, day.volumes, edges)
    return [
        [_error(ours, market, first, last) for last in range(first + 1, STEPS + 1)]
        for first in range(STEPS)
    ]


Reached = Sequence[tuple[float, float]]  # at each edge: shares so far, and what they cost


def _reached(prices: Sequence[float], shares: Sequence[float], edges: Iterable[int]) -> Reached:
    costs = (price * count for price, count in zip(prices, shares, strict=True))
    so_far = list(zip(accumulate(shares, initial=0.0), accumulate(costs, initial=0.0), strict=True))
    return [so_far[edge] for edge in edges]


def _error(ours: Reached, market: Reached, first: int, last: int) -> float | None:
    own, vwap = _average(ours, first, last), _average(market, first, last)
    return None if own is None or vwap is None else (own / vwap - 1) * BPS


def _average(reached: Reached, first: int, last: int) -> float | None:
    shares = reached[last][0] - reached[first][0]
    # Sums of fractions leave dust where nothing was scheduled.
    return (reached[last][1] - reached[first][1]) / shares if shares > 1e-9 else None


def _rms(errors: Iterable[float | None]) -> float | None:
    known = [error for error in errors if error is not None]
    if len(known) < FEWEST_SESSIONS:
        return None
    return round(sqrt(fmean(error**2 for error in known)), DIGITS)
