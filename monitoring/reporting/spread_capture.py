"""How much of the quoted spread an order's executions kept."""

from collections.abc import Iterable
from decimal import Decimal

from execution.models import Fill, Order
from monitoring.reporting import tca


def of(order: Order) -> Decimal | None:
    """The mean over its shares, each against the quote by which its child was priced: 1 at the near
    touch, 0 at the far one, below 0 beyond it. None where no such quote is known."""
    fills = Fill.objects.filter(order=order, quantity__gt=0)
    rows = fills.values_list("quantity", "price", "slice__explanation__quote")
    return mean(order.side_sign, rows.iterator())


def mean(side: int, rows: Iterable[tuple[int, Decimal, dict[str, str] | None]]) -> Decimal | None:
    """Of shares, price and quote (bid and ask as text) of each execution."""
    shares, kept = 0, Decimal(0)
    for quantity, price, quote in rows:
        if not quote:
            continue
        part = tca.spread_capture(side, price, Decimal(quote["bid"]), Decimal(quote["ask"]))
        if part is not None:
            shares, kept = shares + quantity, kept + quantity * part
    return kept / shares if shares else None
