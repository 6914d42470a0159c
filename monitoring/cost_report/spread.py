"""How costs are spread over orders: counts in ranges of half a basis point, which can be added."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import floor

WIDTH = 0.5  # bps
BOUND = 400  # ranges to either side of zero; the outermost hold all that is beyond them

Counts = Mapping[int, int]  # orders by the number of their range


@dataclass(frozen=True, slots=True)
class Bar:
    """Orders whose cost is within [low, high) bps; None: no bound."""

    low: float | None
    high: float | None
    orders: int


def number_of(bps: Decimal | float) -> int:
    return max(-BOUND, min(BOUND - 1, floor(float(bps) / WIDTH)))


def added(many: Iterable[Counts]) -> Counts:
    total: Counter[int] = Counter()
    for counts in many:
        total.update(counts)
    return total


def median(counts: Counts) -> float | None:
    """In bps, straight within its range, so right to half a range; None without orders.

    One beyond the outermost ranges counts as that range's own.
    """
    total = sum(counts.values())
    below = 0
    for number in sorted(counts):
        if 2 * (below + counts[number]) >= total:
            return (number + (total / 2 - below) / counts[number]) * WIDTH
        below += counts[number]
    return None


def bars(counts: Counts, *, width: int = 2, bound: int = 20) -> Sequence[Bar]:
    """Ranges of `width` bps from -`bound` to `bound`, and one beyond on either side."""
    edges = range(-bound, bound, width)
    inside = [Bar(low, low + width, _between(counts, low, low + width)) for low in edges]
    below = Bar(None, -bound, _between(counts, None, -bound))
    above = Bar(bound, None, _between(counts, bound, None))
    return [below, *inside, above]


def _between(counts: Counts, low: float | None, high: float | None) -> int:
    return sum(
        count
        for number, count in counts.items()
        if (low is None or number * WIDTH >= low) and (high is None or number * WIDTH < high)
    )
