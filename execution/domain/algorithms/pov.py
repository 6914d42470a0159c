"""Percentage of volume: a fixed part of what the market trades, until the order is done."""

from collections.abc import Sequence

from execution.domain.algorithms.base import PlannedSlice, Spec, due_times, weighted


def plan(spec: Spec) -> tuple[PlannedSlice, ...]:
    """Slices of `participation` (0 to 1) of the volume expected in each interval that
    `due_times` cuts, from the start on until the quantity is reached.

    Where `session_volume` is unknown or does not suffice, the whole quantity follows the profile
    over the whole window; when a slice is due, the volume really traded decides. Raises ValueError
    naming the argument that is wrong.
    """
    if not 0 < spec.participation <= 1:
        raise ValueError(f"participation = {spec.participation}: must be above 0 and up to 1")
    times = due_times(spec)
    shares = spec.profile.weights(spec.session, times, spec.end)
    expected = [spec.participation * (spec.session_volume or 0.0) * share for share in shares]
    enough = sum(expected) >= spec.quantity
    weights = _until_done(expected, spec.quantity) if enough else shares
    return weighted(spec, times, weights if any(weights) else [1.0] * len(times))


def _until_done(expected: Sequence[float], quantity: int) -> list[float]:
    weights, left = [], float(quantity)
    for volume in expected:
        weights.append(min(volume, left))
        left -= weights[-1]
    return weights
