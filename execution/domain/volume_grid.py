"""When the slices of an order are due that follows the market's volume: closer where it is fast."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from math import ceil, inf

from execution.domain.session import Session
from execution.domain.slice_times import even_times
from execution.domain.volume_profile import Profile

_CROSSING = timedelta(minutes=1)
_ROUNDING = 1e-9  # of shares that were added up
# Minutes; a feed that is delayed by contract is so by fifteen.
_LONGEST_BELIEVED = 5


@dataclass(frozen=True, slots=True)
class Grid:
    """How finely a window may be cut.

    `shortest`: the length of the shortest slice, and of all of them in the last `closing` of a
    session. `largest`: the share of the order (0 to 1) beyond which a slice is cut. `least`: shares
    that each part of a slice is to have; one too small for that is cut less, or not at all. `most`:
    slices.
    """

    shortest: timedelta
    closing: timedelta
    largest: float
    least: int
    most: int


def volume_times(
    start: datetime,
    end: datetime,
    count: int,
    *,
    quantity: int,
    session: Session,
    profile: Profile,
    grid: Grid,
) -> tuple[datetime, ...]:
    """`even_times`, and between them as many more as `grid` asks for: all inside [start, end).

    An interval is cut into parts of whole `shortest` that are as equal as these allow. Where there
    would be too many slices, each may hold twice the share, until nothing is cut any more.
    Raises ValueError as `even_times`.
    """
    even = even_times(start, end, count)
    weights = profile.weights(session, even, end)
    whole, largest = sum(weights), grid.largest
    while whole and largest < 1:
        times = [
            time
            for (left, right), weight in zip(pairwise((*even, end)), weights, strict=True)
            for time in _cut(left, right, weight / whole, largest, quantity, session, grid)
        ]
        if len(times) <= max(grid.most, count):
            return tuple(times)
        largest *= 2
    return even


def _cut(
    left: datetime,
    right: datetime,
    share: float,
    largest: float,
    quantity: int,
    session: Session,
    grid: Grid,
) -> Iterator[datetime]:
    """The times at which the slices of an interval that holds `share` of the order are due, the
    first at `left`."""
    closing = session.extended_close if session.always else session.close - grid.closing
    before = share * ((closing - left) / (right - left))
    room = min(before, share - before) * quantity >= grid.least
    if room and left + grid.shortest <= closing < right:
        yield from _parts(left, closing, before / largest, before * quantity, grid)
        left, share = closing, share - before
    wanted = inf if closing <= left else share / largest
    yield from _parts(left, right, wanted, share * quantity, grid)


def _parts(
    left: datetime, right: datetime, wanted: float, shares: float, grid: Grid
) -> Iterator[datetime]:
    units = max((right - left) // grid.shortest, 1)
    room = max((shares + _ROUNDING) // grid.least, 1)
    pieces = ceil(min(max(wanted - _ROUNDING, 1), units, room))
    return (left + grid.shortest * (units * k // pieces) for k in range(pieces))


def aimed_at(due: datetime, following: datetime) -> datetime:
    """Until when the market's volume is traded along by a slice that is due now, where the next one
    is due at `following`.

    A child that crosses the spread is done within a minute; then nothing is done until the next
    one. The middle of that time leaves the order as long ahead of the market as behind it, while
    aiming at `following` would leave it ahead all the time.
    """
    return min(due + (following - due + _CROSSING) / 2, following)


def believed(minutes: Sequence[int]) -> Sequence[int]:
    """The volumes of the minutes that are over, oldest first, without the silence at their end that
    may only be late news: the last minute, whose bar may be under way, and all of a silence that is
    longer than five minutes and than any before it today. A feed that lags is not a market that is
    silent, and a market that is often silent is not a feed that lags.
    """
    known = len(minutes)
    while known and not minutes[known - 1]:
        known -= 1
    silence = len(minutes) - known
    if silence > _LONGEST_BELIEVED and silence > _longest_silence(minutes[:known]):
        return minutes[:known]
    return minutes[:-1] if silence else minutes


def _longest_silence(minutes: Sequence[int]) -> int:
    longest = silent = 0
    for volume in minutes:
        silent = 0 if volume else silent + 1
        longest = max(longest, silent)
    return longest
