"""The execution algorithms. To add one: write its plan, add its line to `ALGOS`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module

from execution.domain.algorithms import single
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


def _file(name: str, **treatment: bool) -> Algorithm:
    """The algorithm of one file of this package: its `plan`, and its `weights` if it has any."""
    module = import_module(f"{__package__}.{name}")
    return Algorithm(module.plan, weights=getattr(module, "weights", None), **treatment)


ALGOS: dict[str, Algorithm] = {
    "MARKET": _file("single", over_time=False, urgent=True),
    "LIMIT": _file("single", over_time=False, rests=True),
    "TWAP": _file("twap", vwap_benchmark=True),
    "VWAP": _file("vwap", by_profile=True, dynamic=True, vwap_benchmark=True),
    "POV": _file("pov", by_profile=True, follows_tape=True, vwap_benchmark=True),
    "IS": _file("implementation_shortfall"),
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


def judged_by_vwap() -> tuple[str, ...]:
    """The algorithms whose average price is compared with the market's VWAP."""
    return tuple(name for name, algorithm in ALGOS.items() if algorithm.vwap_benchmark)
