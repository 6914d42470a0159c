"""From our symbols to the broker's contracts, and from a ticket to the broker's order."""

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from execution.broker.ibkr.client_library import Order, Stock, TagValue
from execution.broker.ibkr.messages import Outgoing
from execution.domain.limit_prices import round_away


class NotQualified(Exception):
    """The broker has no such contract, or more than one. Nothing was sent."""


@dataclass(frozen=True, slots=True)
class Known:
    """A contract as orders name it, and its smallest price step where the broker has one."""

    contract: Any
    tick: Decimal | None = None


def stock(symbol: str) -> Any:
    """A share class is written BRK.B here and `BRK B` there."""
    return Stock(symbol.replace(".", " "), "SMART", "USD")


def name_of(contract: Any) -> str:
    """Our symbol of a stock; an option on it bears the same symbol there and is another thing."""
    if contract.secType == "STK":
        symbol: str = contract.symbol
        return symbol.replace(" ", ".")
    return f"{contract.secType} {contract.localSymbol or contract.symbol}"


def the_one(symbol: str, found: list[Any]) -> Known:
    """The contract among the details found for a symbol; raises NotQualified.

    It is asked for by reqContractDetails: of what qualifyContracts finds not to be unique, one
    library answers a shorter list and the other a None.
    """
    if len(found) != 1:
        exchanges = ", ".join(sorted(each.contract.primaryExchange for each in found))
        many = f"{len(found)} contracts, at {exchanges}" if found else "no contract"
        raise NotQualified(f"symbol = {symbol!r}: the broker has {many}")
    contract = found[0].contract
    contract.exchange = "SMART"
    return Known(contract, _tick(found[0].minTick))


def _tick(value: object) -> Decimal | None:
    """An unset number arrives as zero, or as the largest float."""
    try:
        tick = Decimal(str(value))
    except InvalidOperation:
        return None
    return tick if 0 < tick < 1 else None


def order_of(outgoing: Outgoing, tick: Decimal | None = None) -> Any:
    """A limit order for the day, its limit on the contract's own grid. The time in force is always
    named, or a preset would choose it; the price survives as a float because the shortest text of
    a float is sent."""
    native = outgoing.native
    limit = round_away(outgoing.limit_price, 1 if outgoing.side == "BUY" else -1, tick)
    return Order(
        orderId=outgoing.order_id,
        orderType="LMT",
        action=outgoing.side,
        totalQuantity=outgoing.quantity,
        lmtPrice=float(limit),
        tif="DAY",
        orderRef=outgoing.ref,
        account=outgoing.account,
        outsideRth=outgoing.outside_rth,
        algoStrategy=native.name if native else "",
        algoParams=[TagValue(*pair) for pair in native.parameters] if native else [],
        transmit=True,
    )
