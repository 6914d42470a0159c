"""Today's volume: what is expected of it, and where an order should be that follows it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import accumulate
from math import exp, isfinite, log
from typing import NamedTuple, Self

from execution.domain.session import Session
from execution.domain.volume_profile import Profile

_MINUTE = timedelta(minutes=1)
_CLOSING = timedelta(minutes=5)

# A day this many times busier or quieter than expected, once so much of it is over, shows that the
# expectation belongs to another tape (one venue's against all, a stale average): it is dropped.
_LARGEST_SURPRISE = 10
_SURPRISE_SHARE = 0.05


@dataclass(frozen=True, slots=True)
class Constants:
    """How much of what is seen of a day goes on.

    The defaults were chosen on sessions before those that `benchmarks/vwap_tracking.py` reports;
    the result changes little in a wide range around each. `forecast_tuning` looks for better ones.

    A day that is ahead by a factor x so far will be ahead by about x ** `day_persistence`; the last
    `recent_minutes` add their own factor to the power of `recent_persistence`, for as long ahead;
    the close follows the day by the power of `closing_persistence`. The expectation weighs as much
    as the time in which `prior_share` of a day trades.
    """

    day_persistence: float = 0.65
    recent_persistence: float = 0.3
    recent_minutes: int = 90
    closing_persistence: float = 0.5
    prior_share: float = 0.07


USUAL = Constants()


def expected_volume(volumes: Sequence[int]) -> float:
    """What a session will trade, from the total volumes of the sessions before it, oldest first.

    A weighted geometric mean: 0.5 the geometric mean of all, 0.2 the mean of the last five, 0.3 the
    last. Sessions without volume are left out; half-days should not be given. Raises ValueError
    when none is left.
    """
    traded = [volume for volume in volumes if volume > 0]
    if not traded:
        raise ValueError(f"volumes: none of {len(volumes)} sessions traded")
    usual = sum(log(volume) for volume in traded) / len(traded)
    week = traded[-5:]
    return exp(0.5 * usual + 0.2 * log(sum(week) / len(week)) + 0.3 * log(traded[-1]))


def dynamic_target(
    profile: Profile,
    session: Session,
    *,
    start: datetime,
    end: datetime,
    until: datetime,
    minutes: Sequence[int],
    minutes_from: datetime,
    daily_volume: float | None = None,
    today: float | None = None,
    constants: Constants = USUAL,
) -> float:
    """The part of the order that should be executed by `until`, following today's volume.

    `minutes` are the volumes of the whole minutes from `minutes_from` (the session's open, or as
    far back as the tape is known) that have ENDED; everything later is forecast. With V the volume
    seen in the order's window [start, end) and v the forecast from the last seen minute on,

        target = (V + v(.. until)) / (V + v(.. end))

    v is the profile times the day's volume as far as it can be told from the pace since the open,
    the pace of the last minutes (90, for the next 90), `daily_volume` (mean of recent sessions,
    shares) and `today` (see `expected_volume`; by default the mean). With neither, the pace alone
    decides; before any volume is seen, the profile's own curve. An expectation ten times off what
    is seen is dropped. From 0 to 1, and 1 from `end` on. Raises ValueError for an expectation that
    is not positive.
    """
    sight = seen_by(
        profile,
        session,
        Tape.of(minutes, minutes_from),
        start=start,
        end=end,
        until=until,
        daily_volume=daily_volume,
        today=today,
        recent_minutes=constants.recent_minutes,
    )
    return sight.target(constants)


def volume_ahead(
    profile: Profile,
    session: Session,
    *,
    since: datetime,
    until: datetime,
    minutes: Sequence[int],
    minutes_from: datetime,
    daily_volume: float | None = None,
    today: float | None = None,
    constants: Constants = USUAL,
) -> float:
    """Shares that the market is expected to trade from the last of `minutes` on, and not before
    `since`, until `until`; the arguments are those of `dynamic_target`. 0 where nothing is known.
    """
    sight = seen_by(
        profile,
        session,
        Tape.of(minutes, minutes_from),
        start=since,
        end=until,
        until=until,
        daily_volume=daily_volume,
        today=today,
        recent_minutes=constants.recent_minutes,
    )
    forecast = sight.forecast(constants)
    return forecast.volume(sight.whole) if forecast else 0.0


@dataclass(frozen=True, slots=True)
class Tape:
    """Volumes of `minutes` whole minutes from `start` on; `reached[k]`: shares in the first k."""

    reached: Sequence[int]
    minutes: int
    start: datetime

    @classmethod
    def of(cls, minutes: Sequence[int], start: datetime) -> Self:
        return cls(tuple(accumulate(minutes, initial=0)), len(minutes), start)

    @property
    def end(self) -> datetime:
        return self.start + _MINUTE * self.minutes

    def volume(self, start: datetime, end: datetime) -> float:
        """What traded in [start, end); of a minute partly inside, that part."""
        return max(self._by(end) - self._by(start), 0.0)

    def _by(self, time: datetime) -> float:
        after = min(max((time - self.start) / _MINUTE, 0.0), float(self.minutes))
        whole = int(after)
        part = after - whole
        reached = float(self.reached[whole])
        return reached + part * (self.reached[whole + 1] - reached) if part else reached


class Ahead(NamedTuple):
    """A time to come, in parts of the day's profile: before the close and in it, each as far as the
    recent pace reaches, and later."""

    near: float
    later: float
    closing_near: float
    closing: float


class Forecast(NamedTuple):
    """Shares of a day before the close, shares of a day in the close, and what the near time has
    times these."""

    day: float
    closing: float
    near: float

    def volume(self, ahead: Ahead) -> float:
        return self.day * (ahead.near * self.near + ahead.later) + self.closing * (
            ahead.closing_near * self.near + ahead.closing
        )


class Sight(NamedTuple):
    """What a decision sees, without the constants: all but how many minutes are recent.

    `seen` shares since the open, of which `done` in the order's window and `recent` in the last
    minutes; `expected` and `usual`: the parts of the day's profile in the times of `seen` and
    `recent`. `usually` and `today`: the shares of the day that were expected, None where there is
    no expectation or none to believe. `ahead` until the decision's end, `whole` until the order's.
    `elapsed`: the part of the order's window that is over by the decision's end.
    """

    seen: float
    expected: float
    recent: float
    usual: float
    usually: float | None
    today: float | None
    done: float
    ahead: Ahead
    whole: Ahead
    elapsed: float

    def target(self, constants: Constants) -> float:
        """See `dynamic_target`."""
        if self.elapsed >= 1:
            return 1.0
        forecast = self.forecast(constants) or _FLAT
        whole = self.done + forecast.volume(self.whole)
        if whole <= 0:
            return max(self.elapsed, 0.0)
        return min((self.done + forecast.volume(self.ahead)) / whole, 1.0)

    def forecast(self, constants: Constants) -> Forecast | None:
        """None where nothing is known of the day's volume."""
        weight = constants.prior_share
        if self.usually is not None and self.today is not None:
            pace = (self.seen / self.today + weight) / (self.expected + weight)
            mean, day = self.usually, self.today * pace**constants.day_persistence
        elif self.seen and self.expected:
            mean = day = self.seen / self.expected
        else:
            return None
        near = (self.recent / day + weight) / (self.usual + weight)
        return Forecast(
            day=day,
            closing=mean * (day / mean) ** constants.closing_persistence,
            near=near**constants.recent_persistence,
        )


_FLAT = Forecast(1.0, 1.0, 1.0)


def seen_by(
    profile: Profile,
    session: Session,
    tape: Tape,
    *,
    start: datetime,
    end: datetime,
    until: datetime,
    daily_volume: float | None,
    today: float | None,
    recent_minutes: int,
) -> Sight:
    """See `dynamic_target`."""
    usually, expected_today = _expectation(daily_volume, today)
    now = tape.end
    opened = tape.start if session.always else max(tape.start, session.open)
    since = max(now - _MINUTE * recent_minutes, opened)
    seen, reached = tape.volume(opened, now), profile.reached_by(session, now)
    expected = max(reached - profile.reached_by(session, opened), 0.0)
    believable = expected_today is not None and _believable(expected_today, seen, expected)
    # Where nothing is known, the profile's curve from the start on.
    cut = min(max(now, start), end) if believable or (seen and expected) else start
    ahead = partial(
        _ahead,
        begins=profile.reached_by(session, cut),
        near=profile.reached_by(session, now + _MINUTE * recent_minutes),
        closing=profile.reached_by(session, _closing_from(session)),
    )
    return Sight(
        seen=seen,
        expected=expected,
        recent=tape.volume(since, now),
        usual=max(reached - profile.reached_by(session, since), 0.0),
        usually=usually if believable else None,
        today=expected_today if believable else None,
        done=tape.volume(start, cut),
        ahead=ahead(ends=profile.reached_by(session, max(until, cut))),
        whole=ahead(ends=profile.reached_by(session, end)),
        elapsed=(until - start) / (end - start) if until < end else 1.0,
    )


def _expectation(
    daily_volume: float | None, today: float | None
) -> tuple[float | None, float | None]:
    """Shares of a usual day and of this one; either stands in for the other."""
    for name, value in (("daily_volume", daily_volume), ("today", today)):
        if value is not None and not (isfinite(value) and value > 0):
            raise ValueError(f"{name} = {value}: must be positive, or None when unknown")
    return (
        today if daily_volume is None else daily_volume,
        daily_volume if today is None else today,
    )


def _closing_from(session: Session) -> datetime:
    return session.extended_close if session.always else session.close - _CLOSING


def _ahead(*, begins: float, ends: float, near: float, closing: float) -> Ahead:
    """Between two points of the profile: `near` where the recent pace ends, `closing` where the
    close begins."""
    before, after = min(begins, closing), min(ends, closing)
    soon = max(min(after, near) - min(before, near), 0.0)
    late_before, late_after = max(begins, closing), max(ends, closing)
    late_soon = max(min(late_after, near) - min(late_before, near), 0.0)
    return Ahead(
        near=soon,
        later=max(after - before - soon, 0.0),
        closing_near=late_soon,
        closing=max(late_after - late_before - late_soon, 0.0),
    )


def _believable(volume: float, seen: float, expected: float) -> bool:
    if expected < _SURPRISE_SHARE:
        return True
    return 1 / _LARGEST_SURPRISE <= seen / (volume * expected) <= _LARGEST_SURPRISE
