"""VWAP: slices sized by the expected volume."""

from datetime import datetime, timedelta

from execution.domain.algorithms.base import PlannedSlice, _check_slices, _scheduled
from execution.domain.exchange_time import exchange_time
from execution.domain.lots import split
from execution.domain.session import Session
from execution.domain.slice_times import check_window, even_times
from execution.domain.volume_profile import Profile


def plan_vwap(
    *,
    quantity: int,
    start: datetime,
    end: datetime,
    slices: int,
    session: Session,
    profile: Profile,
    seed: int,
    jitter: timedelta = timedelta(0),
    lot: int = 1,
    min_slice: int = 1,
    max_slice: int | None = None,
) -> tuple[PlannedSlice, ...]:
    """Slices sized by the share of the session's volume that the profile expects in each interval.

    The window is cut into `slices` equal intervals; an interval whose share is too small for a
    slice of its own is served by a neighbour. Raises ValueError naming the argument that is wrong,
    also when the profile expects no volume in the window.
    """
    check_window(start, end)
    _check_slices(slices)
    times = even_times(start, end, slices)
    weights = profile.weights(session, times, end)
    if not any(weights):
        raise ValueError(
            f"start = {exchange_time(start)}, end = {exchange_time(end)}: no volume is expected"
            f" there; the regular session is {exchange_time(session.open)} to"
            f" {exchange_time(session.close)}"
        )
    pieces = split(quantity, weights, lot=lot, min_slice=min_slice, max_slice=max_slice)
    return _scheduled(pieces, [times[piece.slot] for piece in pieces], end, jitter, seed)
