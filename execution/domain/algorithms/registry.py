"""The execution algorithms. To add one: write its plan, add its line to `ALGOS`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from execution.domain.algorithms import implementation_shortfall, pov, single, twap, vwap
from execution.domain.algorithms.base import Plan, Spec


@dataclass(frozen=True, slots=True)
class Algorithm:
    """How the rest of the program treats an algorithm's orders.

    `over_time`: worked in slices within the configured participation, with a residual policy; else
    the whole order is one child. `urgent`: it crosses the spread at once, by the tolerance of
    urgent orders. `rests`: its child waits in the book at its limit, after hours too, until the
    session ends. `by_profile`: its usual window and slices are those of `execution.vwap`, else of
    `execution.twap`. `follows_tape`: when a slice is due, the participation in what the market has
    traded decides, not the plan. `dynamic`: each slice is aimed anew by today's volume.
    `vwap_benchmark`: its average price is judged against the market's VWAP of its window.
    `weights`: how its quantity spreads over `Spec.slices` equal intervals, for its estimated cost;
    None: as the volume does.
    """

    plan: Plan
    over_time: bool = True
    urgent: bool = False
    rests: bool = False
    by_profile: bool = False
    follows_tape: bool = False
    dynamic: bool = False
    vwap_benchmark: bool = False
    weights: Callable[[Spec], Sequence[float]] | None = None


ALGOS: dict[str, Algorithm] = {
    "MARKET": Algorithm(single.plan, over_time=False, urgent=True),
    "LIMIT": Algorithm(single.plan, over_time=False, rests=True),
    "TWAP": Algorithm(twap.plan, vwap_benchmark=True, weights=twap.weights),
    "VWAP": Algorithm(vwap.plan, by_profile=True, dynamic=True, vwap_benchmark=True),
    "POV": Algorithm(pov.plan, by_profile=True, follows_tape=True, vwap_benchmark=True),
    "IS": Algorithm(implementation_shortfall.plan, weights=implementation_shortfall.weights),
}

_NONE = Algorithm(single.plan, over_time=False)


def of(name: str) -> Algorithm:
    """The entry of an order's algorithm; one without any trait for an order that was denied before
    it was routed."""
    return ALGOS.get(name, _NONE)


def following() -> tuple[str, ...]:
    """The algorithms that go by what the market has traded."""
    return tuple(name for name, algorithm in ALGOS.items() if algorithm.follows_tape)


def resting() -> tuple[str, ...]:
    """The algorithms whose child waits in the book."""
    return tuple(name for name, algorithm in ALGOS.items() if algorithm.rests)
