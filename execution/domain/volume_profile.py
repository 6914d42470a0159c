"""How a session's volume spreads over the day, expected and as seen so far."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import accumulate, pairwise
from math import floor, isfinite
from typing import Self

from execution.domain.session import Session

FEWEST_SESSIONS = 5

# A prior profile counts as much as this many sessions of the symbol's own.
_PRIOR_SESSIONS = 10


@dataclass(frozen=True)
class Profile:
    """A piecewise constant density of volume over a regular session.

    `edges` are fractions of the session, from 0 to 1; `shares[i]` is the part of the session's
    volume that trades between edges[i] and edges[i + 1]; they add up to 1. Being in fractions,
    the profile fits a session of any length: a half-day has the same shape, compressed.
    """

    edges: tuple[float, ...]
    shares: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.edges) != len(self.shares) + 1 or not self.shares:
            raise ValueError(f"{len(self.shares)} shares need {len(self.shares) + 1} edges")
        if self.edges[0] != 0 or self.edges[-1] != 1:
            raise ValueError(f"edges = {self.edges[0]} .. {self.edges[-1]}: must reach from 0 to 1")
        if not all(left < right for left, right in pairwise(self.edges)):
            raise ValueError("edges: must increase")
        if not all(isfinite(share) and share >= 0 for share in self.shares):
            raise ValueError("shares: must be finite and not negative")
        if abs(sum(self.shares) - 1) > 1e-6:
            raise ValueError(f"shares: add up to {sum(self.shares):.6f}, not to 1")

    @classmethod
    def even(cls, volumes: Sequence[float]) -> Self:
        """A profile of equally long bins, from volumes in any unit."""
        whole = sum(volumes)
        if not (isfinite(whole) and whole > 0):
            raise ValueError(f"volumes: add up to {whole}; a profile needs some volume")
        edges = tuple(k / len(volumes) for k in range(len(volumes) + 1))
        return cls(edges, tuple(volume / whole for volume in volumes))

    @cached_property
    def _reached(self) -> tuple[float, ...]:
        return (0.0, *accumulate(self.shares))

    def reached(self, fraction: float) -> float:
        """The share of the session's volume that trades before this fraction of it."""
        if fraction <= 0:
            return 0.0
        if fraction >= 1:
            return 1.0
        k = bisect_right(self.edges, fraction) - 1
        part = (fraction - self.edges[k]) / (self.edges[k + 1] - self.edges[k])
        return min(self._reached[k] + part * self.shares[k], 1.0)

    def shares_between(self, edges: Sequence[float]) -> tuple[float, ...]:
        """The share of each bin that these fractions of the session bound."""
        reached = [self.reached(edge) for edge in edges]
        return tuple(max(right - left, 0.0) for left, right in pairwise(reached))

    def share_between(self, session: Session, start: datetime, end: datetime) -> float:
        """The share of the session's volume expected in [start, end).

        Outside the regular hours nothing is expected. A market that never closes repeats the
        profile with the period of its session.
        """
        return max(self.reached_by(session, end) - self.reached_by(session, start), 0.0)

    def weights(
        self, session: Session, times: Sequence[datetime], end: datetime
    ) -> tuple[float, ...]:
        """The share expected in each interval from one time to the next, the last until `end`."""
        reached = [self.reached_by(session, time) for time in (*times, end)]
        return tuple(max(right - left, 0.0) for left, right in pairwise(reached))

    def reached_by(self, session: Session, time: datetime) -> float:
        """The share of the session's volume expected before `time`; of a market that never closes,
        a whole one more for each session that is over."""
        fraction = (time - session.open) / session.length
        if not session.always:
            return self.reached(fraction)
        periods = floor(fraction)
        return periods + self.reached(fraction - periods)


# The deployment guide's default: 9:30, 10:00, 10:30, 15:00, 15:30, 16:00.
U_SHAPE = Profile(
    edges=(0.0, 30 / 390, 60 / 390, 330 / 390, 360 / 390, 1.0),
    shares=(0.15, 0.12, 0.50, 0.12, 0.11),
)


def learn(sessions: Sequence[Sequence[int]], *, prior: Profile | None = None) -> Profile:
    """The mean shape of previous sessions, each given by its volumes minute by minute.

    Every session counts the same, however busy it was; `prior`, the pooled profile of many symbols
    for instance, counts as ten sessions more. Sessions shorter than the longest (half-days) and
    sessions without volume are left out. Raises ValueError when fewer than five remain.
    """
    length = max((len(volumes) for volumes in sessions), default=0)
    usable = [volumes for volumes in sessions if len(volumes) == length and sum(volumes) > 0]
    if len(usable) < FEWEST_SESSIONS:
        raise ValueError(
            f"sessions: {len(usable)} of {len(sessions)} are full and have volume; "
            f"a profile needs at least {FEWEST_SESSIONS}"
        )
    own = pooled(Profile.even(volumes) for volumes in usable)
    return own if prior is None else drawn(own, prior, sessions=len(usable))


def drawn(own: Profile, prior: Profile, *, sessions: int) -> Profile:
    """The mean shape of so many sessions, drawn to a prior as if that were ten sessions more."""
    weight = _PRIOR_SESSIONS / (_PRIOR_SESSIONS + sessions)
    both = zip(own.shares, prior.shares_between(own.edges), strict=True)
    return Profile(own.edges, tuple(a * (1 - weight) + b * weight for a, b in both))


def pooled(profiles: Iterable[Profile]) -> Profile:
    """The mean of profiles that share their edges: of sessions, or of symbols as a fallback."""
    members = list(profiles)
    if len({profile.edges for profile in members}) != 1:
        raise ValueError(f"{len(members)} profiles: at least one is needed, all with equal edges")
    columns = zip(*(profile.shares for profile in members), strict=True)
    return Profile(members[0].edges, tuple(sum(column) / len(members) for column in columns))
