"""Where an order may be worked, and in how many slices, when its signal leaves that open."""

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta

from deepstack.config import Config, Execution
from execution.domain.algorithms import registry
from execution.domain.algorithms.registry import ALGOS
from execution.domain.exchange_time import exchange_time
from execution.domain.risk_checks import Denial
from execution.domain.session import Session
from execution.domain.signal import InvalidSignal, Signal, wrong_end, wrong_start
from execution.domain.volume_grid import Grid
from execution.market import clock
from execution.market.base import MarketData
from execution.models import Order
from execution.planning import order_parameters


@dataclass(frozen=True, slots=True)
class Window:
    """Where the order may be worked; `note` says what was decided about it, if anything was."""

    start: datetime
    end: datetime
    session: Session
    note: str = ""


PAST_TOLERANCE = timedelta(seconds=2)  # of real time, for signals under way


def start_of(signal: Signal, now: datetime) -> datetime:
    """When the signal wants to start: now, if it does not say. Raises InvalidSignal for times that
    no order can have."""
    start = signal.start_at or now
    if start < now - PAST_TOLERANCE * clock.speed():
        raise InvalidSignal(
            {"start_at": f"{exchange_time(start)} is past; it is {exchange_time(now)}"}
        )
    if wrong := wrong_start(start, now):
        raise InvalidSignal({"start_at": wrong})
    if signal.end_at and (wrong := wrong_end(start, signal.end_at)):
        wrong = wrong if signal.start_at else wrong.replace("start_at", "the start, which is now,")
        raise InvalidSignal({"end_at": wrong})
    return start


def closed(market: MarketData, *, at: datetime) -> Denial:
    """What nothing is accepted for, or leaves at, while the exchange is closed."""
    opens = market.next_session(at).open
    return Denial("MARKET_CLOSED", {"at": at.isoformat(), "next_open": opens.isoformat()})


def outlasts_regular_hours(order: Order, session: Session) -> bool:
    """Whether the order works in the extended hours, too: what rests and began there does, until
    its own end. All others work in the regular hours alone."""
    rests = registry.of(order.algorithm).rests and not order_parameters.native(order)
    return rests and not session.is_regular(order.start_at)


def window_of(
    signal: Signal,
    algorithm: str,
    session: Session,
    start: datetime,
    config: Execution,
    *,
    began: datetime | None = None,
) -> Window:
    """The window asked for, else the algorithm's usual one, shortened to the close; orders worked
    over time keep out of the quiet minutes at open and close. Raises InvalidSignal when the window
    asked for reaches beyond the session, or when nothing of it is left. `began`: when the order
    did whose rest is planned anew; its hours stay those that it began in."""
    regular = session.is_regular(began or start)
    last = session.close if regular else session.extended_close
    length = signal.end_at - start if signal.end_at else signal.window
    if session.always:
        end = start + (length or _usual(algorithm, last - start, config))
        return Window(start, end, _stretched(session, end))
    first, until = start, last
    if regular and registry.of(algorithm).over_time:
        first, until = _outside_quiet_minutes(session, start, config)
    if length is None:
        wanted_end = first + _usual(algorithm, until - first, config)
        note = "" if wanted_end <= until else f"shortened to the close at {exchange_time(until)}"
    else:
        wanted_end = start + length
        if wanted_end > last:
            field = "end_at" if signal.end_at else "window_minutes"
            problem = f"ends after the session, which closes at {exchange_time(last)}"
            raise InvalidSignal({field: problem})
        quiet = first > start or wanted_end > until
        note = "without the quiet minutes of the session" if quiet else ""
    if min(wanted_end, until) <= first:
        problem = (
            f"nothing of it lies in {exchange_time(first)} to {exchange_time(until)}, when it is"
            " open"
        )
        raise InvalidSignal({"start_at": problem})
    return Window(first, min(wanted_end, until), session, note)


def ends_of(
    signal: Signal, session: Session, start: datetime, config: Execution
) -> dict[str, datetime]:
    """The end of the window that each algorithm would have; only those that rest work after
    hours."""
    names = ALGOS if session.is_regular(start) else registry.resting()
    ends = {}
    for name in names:
        with suppress(InvalidSignal):  # a way that is not open now is no alternative
            ends[name] = window_of(signal, name, session, start, config).end
    return ends


def usual_slices(algorithm: str, window: Window, config: Execution) -> int:
    if not registry.of(algorithm).by_profile:
        return config.twap.default_num_slices
    minutes = (window.end - window.start) / timedelta(minutes=1)
    return max(round(minutes / config.vwap.slice_minutes), config.vwap.min_slices)


def usual_grid(algorithm: str, window: Window, config: Config) -> Grid | None:
    """How an order is cut where volume is fast: no closer than its children may follow each other,
    as they live, as the gap between them, and as the messages of an account allow. None where
    slices follow no volume: of other algorithms, and in a market that never closes."""
    if not registry.of(algorithm).by_profile or window.session.always:
        return None
    vwap, pace = config.execution.vwap, config.execution.scheduling
    messages = config.limits.max_messages_per_minute
    closest = max(pace.min_gap_seconds, pace.min_life_seconds, 60 / messages if messages else 0.0)
    return Grid(
        shortest=max(
            timedelta(minutes=vwap.shortest_slice_minutes),
            timedelta(seconds=closest) * clock.speed(),
        ),
        closing=timedelta(minutes=vwap.closing_minutes),
        largest=float(vwap.largest_slice),
        least=vwap.smallest_cut,
        most=config.limits.max_slices,
    )


def _usual(algorithm: str, rest_of_session: timedelta, config: Execution) -> timedelta:
    kind = registry.of(algorithm)
    if kind.urgent:
        return timedelta(seconds=config.routing.market_window_seconds) * clock.speed()
    if kind.rests:
        return rest_of_session
    minutes = (config.vwap if kind.by_profile else config.twap).default_time_window
    return timedelta(minutes=minutes)


def _outside_quiet_minutes(
    session: Session, start: datetime, config: Execution
) -> tuple[datetime, datetime]:
    quiet = config.scheduling
    first = session.open + timedelta(minutes=quiet.quiet_open_minutes)
    return max(start, first), session.close - timedelta(minutes=quiet.quiet_close_minutes)


def _stretched(session: Session, end: datetime) -> Session:
    """A market that never closes has no session that a window could outlast."""
    if end <= session.close:
        return session
    midnight = datetime.combine(end.astimezone(UTC).date() + timedelta(days=1), time(), UTC)
    return replace(session, close=midnight, extended_close=midnight)
