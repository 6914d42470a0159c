"""Today's volume: what is expected of it, and where an order should be that follows it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from math import exp, isfinite, log

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
    for name, value in (("daily_volume", daily_volume), ("today", today)):
        if value is not None and not (isfinite(value) and value > 0):
            raise ValueError(f"{name} = {value}: must be positive, or None when unknown")
    if until >= end:
        return 1.0
    tape = _Tape(minutes, minutes_from)
    forecast = _forecast(profile, session, tape, daily_volume, today, constants)
    cut, seen = start, 0.0
    if forecast is None:
        forecast = _flat(profile, session)
    else:
        cut = min(max(tape.end, start), end)
        seen = tape.volume(start, cut)
    ahead = seen + forecast.volume(cut, max(until, cut))
    whole = seen + forecast.volume(cut, end)
    return min(ahead / whole, 1.0) if whole > 0 else max((until - start) / (end - start), 0.0)


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
    tape = _Tape(minutes, minutes_from)
    forecast = _forecast(profile, session, tape, daily_volume, today, constants)
    start = max(tape.end, since)
    return forecast.volume(start, until) if forecast and start < until else 0.0


@dataclass(frozen=True, slots=True)
class _Tape:
    """Volumes minute by minute."""

    minutes: Sequence[int]
    start: datetime

    @property
    def end(self) -> datetime:
        return self.start + _MINUTE * len(self.minutes)

    def volume(self, start: datetime, end: datetime) -> float:
        """What traded in [start, end); of a minute partly inside, that part."""
        left = max((start - self.start) / _MINUTE, 0.0)
        right = min((end - self.start) / _MINUTE, float(len(self.minutes)))
        if right <= left:
            return 0.0
        first, last = int(left), int(right)
        whole = float(sum(self.minutes[first:last]))
        closing = (right - last) * self.minutes[last] if last < len(self.minutes) else 0.0
        return whole - (left - first) * self.minutes[first] + closing


@dataclass(frozen=True, slots=True)
class _Forecast:
    """Volume to come: the profile, in shares, times a factor that depends on the time."""

    profile: Profile
    session: Session
    near_until: datetime
    closing_from: datetime
    near: float  # times this until `near_until`
    day: float  # shares of a day, before the close
    closing: float  # shares of a day, in the close

    def volume(self, start: datetime, end: datetime) -> float:
        inside = (cut for cut in (self.near_until, self.closing_from) if start < cut < end)
        total = 0.0
        for left, right in pairwise((start, *sorted(inside), end)):
            share = self.profile.share_between(self.session, left, right)
            scale = self.day if left < self.closing_from else self.closing
            total += share * scale * (self.near if left < self.near_until else 1.0)
        return total


def _forecast(
    profile: Profile,
    session: Session,
    tape: _Tape,
    daily_volume: float | None,
    today: float | None,
    constants: Constants,
) -> _Forecast | None:
    """None where nothing is known of the day's volume."""
    now, weight = tape.end, constants.prior_share
    near = _MINUTE * constants.recent_minutes
    opened = tape.start if session.always else max(tape.start, session.open)
    seen = tape.volume(opened, now)
    expected = profile.share_between(session, opened, now)
    mean = today if daily_volume is None else daily_volume
    prior = mean if today is None else today
    if mean is not None and prior is not None and _believable(prior, seen, expected):
        pace = (seen / prior + weight) / (expected + weight)
        day = prior * pace**constants.day_persistence
    elif seen and expected:
        mean = day = seen / expected
    else:
        return None
    since = max(now - near, opened)
    recent = tape.volume(since, now) / day
    usual = profile.share_between(session, since, now)
    return _Forecast(
        profile,
        session,
        near_until=now + near,
        closing_from=session.extended_close if session.always else session.close - _CLOSING,
        near=((recent + weight) / (usual + weight)) ** constants.recent_persistence,
        day=day,
        closing=mean * (day / mean) ** constants.closing_persistence,
    )


def _flat(profile: Profile, session: Session) -> _Forecast:
    return _Forecast(profile, session, session.open, session.extended_close, 1.0, 1.0, 1.0)


def _believable(volume: float, seen: float, expected: float) -> bool:
    if expected < _SURPRISE_SHARE:
        return True
    return 1 / _LARGEST_SURPRISE <= seen / (volume * expected) <= _LARGEST_SURPRISE
