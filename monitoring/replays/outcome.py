"""What a way of working an order cost, by the formulas of the cost analysis. Pure."""

from dataclasses import dataclass
from decimal import Decimal

from execution.domain.costs import average
from monitoring.replays.exchange import Exchange
from monitoring.replays.tape import Tape
from monitoring.replays.working import Terms
from monitoring.reporting import tca
from monitoring.reporting.tca import Executed


@dataclass(frozen=True, slots=True)
class Outcome:
    """+ is a cost; None is not known. See `monitoring.models.OrderReplay`."""

    children: int
    filled_quantity: int
    average_price: Decimal | None
    fees: Decimal
    arrival_bps: Decimal | None
    vwap_bps: Decimal | None
    shortfall_bps: Decimal
    participation: Decimal | None


def of(terms: Terms, done: Exchange, tape: Tape, *, arrival: Decimal, final: Decimal) -> Outcome:
    """`arrival`: the mid that the order met; `final`: the one by which its rest is valued."""
    side, spec = terms.side_sign, terms.spec
    value = sum((fill.quantity * fill.price for fill in done.fills), Decimal(0))
    executed = Executed(done.filled, value, done.commission)
    price = average(value, executed.quantity)
    bars = [bar for bar in tape.bars if bar.start < spec.end and spec.start < bar.end]
    window = tca.after_arrival(bars, spec.start)
    return Outcome(
        children=len(done.children),
        filled_quantity=executed.quantity,
        average_price=price,
        fees=done.commission,
        arrival_bps=tca.cost_bps(side, price, arrival),
        vwap_bps=tca.cost_bps(side, price, tca.vwap(window)),
        shortfall_bps=shortfall_bps(side, spec.quantity, executed, arrival=arrival, final=final),
        participation=tca.participation(executed.quantity, window),
    )


def shortfall_bps(
    side: int, ordered: int, done: Executed, *, arrival: Decimal, final: Decimal
) -> Decimal:
    """Perold's shortfall with the arrival mid as the price of the decision: executions, fees, and
    what was not executed at `final`, over the shares ordered at `arrival`."""
    cost = tca.shortfall(side, ordered, done, decision=arrival, arrival=arrival, final=final)
    return cost.bps
