"""What a person wrote as a price and what may be sent of it: the exchange knows whole ticks only.

The order keeps what was written; every limit that leaves is rounded to the passive side.
"""

from decimal import Decimal

from execution.domain.limit_prices import on_grid, round_away, tick
from execution.domain.signal import InvalidSignal
from execution.market.base import Quote
from execution.models import Order
from execution.orders.draft import Draft

KEY = "rounded"


def enter(order: Order, prices: dict[str, Decimal | None]) -> None:
    """Note with an order what will be sent in place of each price that lies between two ticks;
    `prices` by the name of their field. Raises InvalidSignal for one that no tick is left of."""
    order.routing.pop(KEY, None)
    rounded = {}
    for name, price in prices.items():
        if price is None or on_grid(price):
            continue
        sent = round_away(price, order.side_sign)
        if sent <= 0:
            smallest = f"{tick(price):f}"
            raise InvalidSignal(
                {name: f"must be at least {smallest}, the tick, got {_text(price)}"}
            )
        rounded[name] = {"asked": _text(price), "sent": f"{sent:f}", "tick": f"{tick(price):f}"}
    if rounded:
        order.routing[KEY] = rounded


def near_touch(order: Order, quote: Quote | None) -> Decimal | None:
    """A patient order joins its own side of the book; without a quote its child does later."""
    if quote is None:
        return None
    return round_away(quote.bid if order.side_sign > 0 else quote.ask, order.side_sign)


def of_child(order: Order, limit: Decimal) -> dict[str, object]:
    """For a child's explanation: that its limit is the order's own, rounded."""
    asked = order.limit_price
    if asked is None or asked == limit or round_away(asked, order.side_sign) != limit:
        return {}
    return {KEY: {"limit_price": _text(asked), "sent": f"{limit:f}", "tick": f"{tick(asked):f}"}}


def as_json(order: Order) -> dict[str, object]:
    """What `enter` noted, for an event; nothing where all prices are whole ticks."""
    return {KEY: order.routing[KEY]} if KEY in order.routing else {}


def amended(order: Order, draft: Draft | None) -> None:
    """Take over what the rest of an amended order notes; the row is saved by the caller."""
    if draft is None:
        return
    order.routing.pop(KEY, None)
    order.routing |= as_json(draft.order)


def _text(price: Decimal) -> str:
    """Without the zeros that a stored price ends in."""
    return f"{price.normalize():f}"
