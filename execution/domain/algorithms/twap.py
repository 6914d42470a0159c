"""TWAP: equal slices at equal distances, moved a little at random."""

from execution.domain.algorithms.base import PlannedSlice, Spec, equal_slices


def plan(spec: Spec) -> tuple[PlannedSlice, ...]:
    """As `equal_slices`, which is all that it takes."""
    return equal_slices(
        quantity=spec.quantity,
        start=spec.start,
        end=spec.end,
        slices=spec.slices,
        jitter=spec.jitter,
        seed=spec.seed,
        lot=spec.lot,
        min_slice=spec.min_slice,
        max_slice=spec.max_slice,
    )


def weights(spec: Spec) -> tuple[float, ...]:
    return (1.0,) * spec.slices
