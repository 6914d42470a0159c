"""Percentage of volume: a fixed part of what the market trades, until the order is done."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from execution.domain.algorithms.base import PlannedSlice, plan_weighted
from execution.domain.session import Session
from execution.domain.slice_times import even_times
from execution.domain.volume_profile import Profile


def plan_pov(
    *,
    quantity: int,
    start: datetime,
    end: datetime,
    slices: int,
    session: Session,
    profile: Profile,
    participation: float,
    session_volume: float | None,
    seed: int,
    jitter: timedelta = timedelta(0),
    lot: int = 1,
    min_slice: int = 1,
    max_slice: int | None = None,
) -> tuple[PlannedSlice, ...]:
    """Slices of `participation` (0 to 1) of the volume expected in each of `slices` equal
    intervals, from the start on until the quantity is reached.

    `session_volume` is what the session is expected to trade, in shares. Where it is unknown or
    does not suffice, the whole quantity follows the profile over the whole window; when a slice is
    due, the volume really traded decides. Raises ValueError naming the argument that is wrong.
    """
    if not 0 < participation <= 1:
        raise ValueError(f"participation = {participation}: must be above 0 and up to 1")
    times = even_times(start, end, slices)
    shares = profile.weights(session, times, end)
    expected = [participation * (session_volume or 0.0) * share for share in shares]
    enough = sum(expected) >= quantity
    weights = _until_done(expected, quantity) if enough else shares
    return plan_weighted(
        quantity=quantity,
        times=times,
        end=end,
        weights=weights if any(weights) else [1.0] * slices,
        jitter=jitter,
        seed=seed,
        lot=lot,
        min_slice=min_slice,
        max_slice=max_slice,
    )


def _until_done(expected: Sequence[float], quantity: int) -> list[float]:
    weights, left = [], float(quantity)
    for volume in expected:
        weights.append(min(volume, left))
        left -= weights[-1]
    return weights
