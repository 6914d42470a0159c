"""What a signal asked for beside its order's columns: kept in `Order.parameters`, plain values."""

from decimal import Decimal

from execution.domain.algorithms import registry
from execution.domain.signal import OVER_TIME, Signal
from execution.models import Order

_NAMES = (
    "slices",
    "vwap_deviation_threshold",
    "max_participation",
    "participation",
    "aggressive_after",
    "native",
    "native_parameters",
    *OVER_TIME,
)


def of(signal: Signal) -> dict[str, object]:
    given = {name: getattr(signal, name) for name in _NAMES}
    return {
        name: f"{value:f}" if isinstance(value, Decimal) else value
        for name, value in given.items()
        if value is not None
    }


def sift(order: Order) -> list[str]:
    """Take out the parameters that the order's algorithm does not know; their names."""
    left_out = foreign(order)
    for name in left_out:
        del order.parameters[name]
    return left_out


def foreign(order: Order) -> list[str]:
    """The names of the parameters that the order's algorithm does not know."""
    algorithm = registry.of(order.algorithm)
    unknown = set() if algorithm.over_time else {"slices", *OVER_TIME}
    if not algorithm.rests:
        unknown.add("aggressive_after")
    if not algorithm.follows_tape:
        unknown.add("participation")
    if not algorithm.vwap_benchmark:
        unknown.add("vwap_deviation_threshold")
    return sorted(unknown & order.parameters.keys())


def lot(order: Order) -> int:
    return int(order.parameters.get("lot_size") or 1)


def least(order: Order) -> int:
    """The smallest slice, in shares."""
    return int(order.parameters.get("min_slice") or 1)


def most(order: Order) -> int | None:
    """The largest slice, in shares; None without a bound."""
    asked_for = order.parameters.get("max_slice")
    return None if asked_for is None else int(asked_for)


def native(order: Order) -> str | None:
    """The broker's own algorithm that works the whole order in one child."""
    name: str | None = order.parameters.get("native")
    return name


def is_passive_first(order: Order) -> bool:
    return order.parameters.get("aggressive_after") is not None


def joins_the_book(order: Order) -> bool:
    """Whether the order's limit is where its side of the book is now; one that is passive at first
    takes the price of the moment at which it leaves, and the broker's algorithms find their own."""
    unlimited = registry.of(order.algorithm).rests and order.limit_price is None
    return unlimited and not is_passive_first(order) and not native(order)


def slices_for(quantity: int, most: int | None, lot: int) -> int:
    """How many slices a quantity needs at least, each of whole lots and of at most `most`."""
    return 1 if most is None else -(-quantity // (most // lot * lot))
