"""The whole quantity in one slice over the whole window: MARKET and LIMIT."""

from execution.domain.algorithms.base import PlannedSlice, Spec, slices_of
from execution.domain.lots import split
from execution.domain.slice_times import check_window


def plan(spec: Spec) -> tuple[PlannedSlice, ...]:
    """One slice, whatever the bounds of slices. Raises ValueError naming what is wrong."""
    check_window(spec.start, spec.end)
    return slices_of(split(spec.quantity, [1.0]), [spec.start], spec.end)
