"""VWAP: slices sized by the expected volume."""

from execution.domain.algorithms.base import PlannedSlice, Spec, due_times, weighted
from execution.domain.exchange_time import exchange_time
from execution.domain.slice_times import check_window


def plan(spec: Spec) -> tuple[PlannedSlice, ...]:
    """Slices sized by the share of the session's volume that the profile expects in each interval.

    The window is cut as `due_times` says; an interval whose share is too small for a slice of its
    own is served by a neighbour. Raises ValueError naming the argument that is wrong,
    also when the profile expects no volume in the window.
    """
    session = spec.session
    check_window(spec.start, spec.end)
    times = due_times(spec)
    weights = spec.profile.weights(session, times, spec.end)
    if not any(weights):
        raise ValueError(
            f"start = {exchange_time(spec.start)}, end = {exchange_time(spec.end)}: no volume is"
            f" expected there; the regular session is {exchange_time(session.open)} to"
            f" {exchange_time(session.close)}"
        )
    return weighted(spec, times, weights)
