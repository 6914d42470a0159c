"""Sessions that are over, with what could be known of each on the evening before."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from statistics import fmean

from execution.domain.session import Session
from execution.domain.special_days import Effect, reshaped
from execution.domain.traded_sessions import MINUTE, TradedDay, adjusted, full_days
from execution.domain.volume_forecast import expected_volume
from execution.domain.volume_profile import Profile, drawn, pooled


@dataclass(frozen=True, slots=True)
class PastSession:
    """One symbol's session; `profile` is its own, drawn towards that of all symbols together.
    Volumes in shares of the whole session."""

    symbol: str
    session: Session
    traded: TradedDay
    profile: Profile
    mean_volume: float
    expected_volume: float

    def on(self, special: Effect | None) -> "PastSession":
        """As it was expected on a day of a special kind."""
        if special is None:
            return self
        return replace(
            self,
            profile=reshaped(self.profile, special.closing, self.session.length // MINUTE),
            mean_volume=self.mean_volume * special.volume,
            expected_volume=self.expected_volume * special.volume,
        )


def walk_forward(
    tape: Mapping[str, Sequence[TradedDay]],
    sessions: Sequence[Session],
    *,
    fewest: int,
    count: int,
) -> Iterator[PastSession]:
    """Each of `sessions` (oldest first) of every symbol that traded in it and had `fewest` sessions
    (five or more) of full length before it, of which the last `count` are learned from. Half-days
    are left out."""
    by_day = {symbol: {day.day: day for day in days} for symbol, days in tape.items()}
    shape = cache(_shape)
    for session in sessions:
        past = {
            symbol: full_days((day for day in days if day.day < session.day), count=count)
            for symbol, days in tape.items()
        }
        known = {symbol: _traded(adjusted(days)) for symbol, days in past.items()}
        known = {symbol: days for symbol, days in known.items() if len(days) >= fewest}
        shapes = {symbol: pooled(map(shape, days)) for symbol, days in known.items()}
        everyone = pooled(shapes.values()) if shapes else None
        for symbol in shapes:
            today = by_day[symbol].get(session.day)
            if everyone is None or today is None:
                continue
            before = _traded(adjusted([*past[symbol], today])[:-1])
            if len(before) < fewest or len(today.volumes) != len(before[-1].volumes):
                continue
            totals = [sum(day.volumes) for day in before]
            profile = drawn(pooled(map(shape, before)), everyone, sessions=len(before))
            mean, expected = fmean(totals), expected_volume(totals)
            yield PastSession(symbol, session, today, profile, mean, expected)


def _traded(days: Sequence[TradedDay]) -> list[TradedDay]:
    """In the shares of a later day, after a reverse split, a few shares may be none."""
    return [day for day in days if any(day.volumes)]


def _shape(traded: TradedDay) -> Profile:
    return Profile.even(traded.volumes)
