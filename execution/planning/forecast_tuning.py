"""The constants of the volume forecast, tried on one's own symbols."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from functools import partial
from random import Random

from deepstack.config import Config
from execution.domain.forecast_tuning import Progress, Tuned, tune
from execution.domain.past_sessions import PastSession, walk_forward
from execution.domain.session import Session
from execution.domain.slice_times import even_times
from execution.domain.traded_sessions import TradedDay
from execution.domain.volume_grid import volume_times
from execution.market.calendar import ExchangeCalendar
from execution.planning.special_days import PUBLISHED
from execution.planning.trading_window import Window, usual_grid, usual_slices
from execution.planning.volume_profiles import SESSIONS, forecast_constants

FEWEST = 10  # sessions before one that is worked again
SEED = 1979  # of the bootstrap, so that the same bars give the same interval
QUANTITY = 1_000_000  # shares: enough for the finest slices


def tune_on(
    tape: Mapping[str, Sequence[TradedDay]],
    config: Config,
    *,
    progress: Progress = lambda _share: None,
) -> Tuned:
    """By orders over whole sessions and over their last two hours, cut as those of the service.
    Raises TooFewSessions."""
    record = PUBLISHED.recorded(tape, {}, count=SESSIONS)
    past = [
        one.on(PUBLISHED.effect_on(one.session, record))
        for one in walk_forward(tape, _sessions(tape), fewest=FEWEST, count=SESSIONS)
    ]
    times = partial(_times, config=config)
    chance = Random(SEED)  # noqa: S311  no secret
    return tune(past, forecast_constants(config), times, random=chance, progress=progress)


def _sessions(tape: Mapping[str, Sequence[TradedDay]]) -> list[Session]:
    calendar = ExchangeCalendar()
    days: set[date] = {day.day for days in tape.values() for day in days}
    found = (calendar.session_on(day) for day in sorted(days))
    return [session for session in found if session is not None]


def _times(
    past: PastSession, start: datetime, end: datetime, *, config: Config
) -> Sequence[datetime]:
    window = Window(start, end, past.session)
    grid = usual_grid("VWAP", window, config)
    count = usual_slices("VWAP", window, config.execution)
    if grid is None:  # of a market that never closes
        return even_times(start, end, count)
    return volume_times(
        start,
        end,
        count,
        quantity=QUANTITY,
        session=past.session,
        profile=past.profile,
        grid=grid,
    )
