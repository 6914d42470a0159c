"""Why an order was dear: the largest part of its cost, in a sentence. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

BPS = Decimal(10_000)


@dataclass(frozen=True, slots=True)
class Costs:
    """What is known of one order's cost; money is + for a cost, None is not known.

    `delay` and `opportunity` are None where no decision price is known. `vwap` is the market's over
    the order's window, `participation` our share of the market's volume there.
    """

    side: int  # +1 buy, -1 sell
    ordered: int
    shares: int
    decision: Decimal | None
    arrival: Decimal | None
    average: Decimal | None
    vwap: Decimal | None
    participation: Decimal | None
    delay: Decimal | None
    trading: Decimal | None
    opportunity: Decimal | None
    fees: Decimal

    @property
    def parts(self) -> Mapping[str, Decimal]:
        """Trading is divided by the market's VWAP where it is known: what the market moved while
        the order worked, and what our prices were worse than the market's."""
        named = {
            "delay": self.delay,
            "market": self._moved,
            "execution": self._executed,
            "opportunity": self.opportunity,
            "fees": self.fees,
        }
        return {name: part for name, part in named.items() if part is not None}

    @property
    def _moved(self) -> Decimal | None:
        if self.vwap is None or self.arrival is None:
            return None
        return self.side * self.shares * (self.vwap - self.arrival)

    @property
    def _executed(self) -> Decimal | None:
        moved = self._moved
        return self.trading if moved is None or self.trading is None else self.trading - moved


def reason(costs: Costs) -> str:
    """The part that costs most."""
    parts = costs.parts
    return _SENTENCES[max(parts, key=lambda name: parts[name])](costs)


def _delay(costs: Costs) -> str:
    moved = _bps(costs, costs.arrival, costs.decision)
    return f"the price moved {moved} between the decision and arrival"


def _market(costs: Costs) -> str:
    moved = _bps(costs, costs.vwap, costs.arrival)
    return f"the market moved {moved} while the order worked (its VWAP against arrival)"


def _execution(costs: Costs) -> str:
    if costs.vwap is None:
        return f"executed {_bps(costs, costs.average, costs.arrival)} from arrival; VWAP not known"
    share = "" if costs.participation is None else f", at {costs.participation:.1%} of its volume"
    return f"executed {_bps(costs, costs.average, costs.vwap)} from the market's VWAP{share}"


def _opportunity(costs: Costs) -> str:
    left = costs.ordered - costs.shares
    return f"{left:,} of {costs.ordered:,} shares were not executed, and the price ran away"


def _fees(costs: Costs) -> str:
    each = f", ${costs.fees / costs.shares:.4f} a share" if costs.shares else ""
    return f"commissions of ${costs.fees:,.2f}{each}"


def _bps(costs: Costs, price: Decimal | None, benchmark: Decimal | None) -> str:
    if price is None or not benchmark:
        return "n/a"
    return f"{costs.side * (price / benchmark - 1) * BPS:+.1f} bps"


_SENTENCES = {
    "delay": _delay,
    "market": _market,
    "execution": _execution,
    "opportunity": _opportunity,
    "fees": _fees,
}
