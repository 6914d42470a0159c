"""Alpaca's orders and fills in our words. What cannot be understood is OutcomeUnknown."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_DOWN, ROUND_UP, Decimal, InvalidOperation

from execution.broker.alpaca import rejections
from execution.broker.base import (
    AccountState,
    BrokerOrder,
    Execution,
    OpenOrder,
    OutcomeUnknown,
    Ticket,
)
from execution.domain.lifecycle import SliceStatus

REPLACED = "replaced"
_REASONS = ("reject_reason", "rejected_reason", "failed_reason", "reason", "message")

STATUSES = {
    "accepted": SliceStatus.WORKING,
    "pending_new": SliceStatus.WORKING,
    "pending_review": SliceStatus.WORKING,
    "accepted_for_bidding": SliceStatus.WORKING,
    "new": SliceStatus.WORKING,
    "held": SliceStatus.WORKING,
    "partially_filled": SliceStatus.WORKING,
    "pending_replace": SliceStatus.WORKING,
    "stopped": SliceStatus.WORKING,  # a trade is guaranteed and has not happened yet
    "suspended": SliceStatus.WORKING,
    "calculated": SliceStatus.WORKING,  # done for the day, its numbers not final
    "done_for_day": SliceStatus.WORKING,  # not an end: the order may live on tomorrow
    "pending_cancel": SliceStatus.CANCELLING,
    "filled": SliceStatus.FILLED,
    "canceled": SliceStatus.CANCELLED,
    "expired": SliceStatus.EXPIRED,
    "rejected": SliceStatus.REJECTED,
    # Its shares live on in another order; whoever reads this must follow `replaced_by`.
    REPLACED: SliceStatus.CANCELLED,
}


# What a column holds, and far beyond what any order of ours has.
MOST_SHARES, MOST_DOLLARS = Decimal(10**12), Decimal(10_000_000)


@dataclass(frozen=True, slots=True)
class SeenOrder:
    """One order of Alpaca; `changed_at` is the latest of its time stamps."""

    id: str
    client_order_id: str
    symbol: str
    side: str
    word: str
    quantity: int
    filled: int
    submitted_at: datetime
    changed_at: datetime
    replaced_by: str
    why: str = ""  # in Alpaca's words, where it gives any

    @property
    def status(self) -> SliceStatus:
        return STATUSES[self.word]


@dataclass(frozen=True, slots=True)
class SeenFill:
    """One execution of an Alpaca order, from its account activities."""

    id: str
    order_id: str
    quantity: int
    price: Decimal
    at: datetime


def placement(ticket: Ticket, limit_price: Decimal) -> dict[str, object]:
    """The body of a placement. Numbers are strings: as JSON floats they would be rounded."""
    return {
        "client_order_id": ticket.client_order_id,
        "symbol": ticket.symbol,
        "side": ticket.side.lower(),
        "qty": str(ticket.quantity),
        "type": "limit",
        "limit_price": f"{limit_price:f}",
        "time_in_force": "day",
        "extended_hours": ticket.extended_hours,
    }


def seen_order(value: object) -> SeenOrder:
    row = _row(value, "order")
    word = _text(row, "status")
    if word not in STATUSES:
        raise OutcomeUnknown(f"order {row.get('client_order_id')}: unknown status {word!r}")
    submitted = submitted_at(row)
    stamps = ("updated_at", "filled_at", "canceled_at", "expired_at", "failed_at", "replaced_at")
    return SeenOrder(
        id=_text(row, "id"),
        client_order_id=_text(row, "client_order_id"),
        symbol=_text(row, "symbol"),
        side=_text(row, "side").upper(),
        word=word,
        quantity=_shares(row, "qty"),
        filled=_shares(row, "filled_qty"),
        submitted_at=submitted,
        changed_at=max([submitted, *(_moment(row, name) for name in stamps if row.get(name))]),
        replaced_by=str(row.get("replaced_by") or ""),
        why=why(row),
    )


def why(row: Mapping[str, object]) -> str:
    """Why an order was refused or ended. The specification names no field for it; these have been
    seen in orders, in updates and in error answers."""
    said = (row.get(name) for name in _REASONS)
    return next((text for text in said if isinstance(text, str) and text), "")


def submitted_at(row: Mapping[str, object]) -> datetime:
    return _moment(row, "submitted_at", "created_at")


def seen_fill(value: object) -> SeenFill:
    row = _row(value, "activity")
    return SeenFill(
        id=_text(row, "id"),
        order_id=_text(row, "order_id"),
        quantity=_shares(row, "qty"),
        price=_price(row, "price"),
        at=_moment(row, "transaction_time"),
    )


def execution(fill: SeenFill, client_order_id: str, account: str) -> Execution:
    return Execution(
        client_order_id=client_order_id,
        account=account,
        execution_id=fill.id,
        quantity=fill.quantity,
        price=fill.price,
        executed_at=fill.at,
    )


def answer(order: SeenOrder, executions: tuple[Execution, ...]) -> BrokerOrder:
    return BrokerOrder(
        client_order_id=order.client_order_id,
        broker_order_id=order.id,
        status=order.status,
        filled_quantity=order.filled,
        executions=executions,
        reason=_reason(order),
        symbol=order.symbol,
    )


def _reason(order: SeenOrder) -> str:
    if order.status == SliceStatus.REJECTED and order.why:
        return f"{rejections.code_of(order.why)}: {order.why}"
    return order.why if order.status in (SliceStatus.CANCELLED, SliceStatus.EXPIRED) else ""


def open_order(value: object) -> OpenOrder:
    """Also of others, in fractions, by amount or of several legs: every part of a share counts as
    one."""
    row = _row(value, "order")
    quantity = _decimal(row, "qty") if row.get("qty") else Decimal(1)
    filled = _decimal(row, "filled_qty") if row.get("filled_qty") else Decimal(0)
    leaves = (quantity - filled).to_integral_value(ROUND_UP)
    return OpenOrder(
        client_order_id=str(row.get("client_order_id") or ""),
        broker_order_id=_text(row, "id"),
        symbol=_of_all_legs(row, "symbol"),
        side=_of_all_legs(row, "side").upper(),
        leaves=max(int(leaves), 1),
    )


def _of_all_legs(row: Mapping[str, object], name: str) -> str:
    """An order of several legs has no symbol and no side of its own."""
    legs = row.get("legs")
    each = (
        [leg.get(name) for leg in legs if isinstance(leg, dict)] if isinstance(legs, list) else []
    )
    return str(row.get(name) or "") or "+".join(str(one) for one in each if one) or "unknown"


def clock(value: object) -> datetime:
    """What Alpaca's clock shows."""
    return _moment(_row(value, "clock"), "timestamp")


def account_state(account: str, state: object, positions: object, shown: object) -> AccountState:
    """Fractions of a share are left out of the positions: we trade whole ones only."""
    money = _row(state, "account")
    if not isinstance(positions, list):
        raise OutcomeUnknown(f"positions: not a list but {str(positions)[:100]}")
    rows = [_row(position, "position") for position in positions]
    held = {
        _text(row, "symbol"): int(_decimal(row, "qty").to_integral_value(ROUND_DOWN))
        for row in rows
    }
    return AccountState(
        account=account,
        at=clock(shown),
        cash=_decimal(money, "cash"),
        buying_power=_decimal(money, "buying_power"),
        positions={symbol: shares for symbol, shares in held.items() if shares},
        currency=_text(money, "currency"),
    )


def _row(value: object, what: str) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise OutcomeUnknown(f"{what}: not an object but {str(value)[:100]!r}")
    return value


def _text(row: Mapping[str, object], name: str) -> str:
    value = row.get(name)
    if not isinstance(value, str) or not value:
        raise OutcomeUnknown(f"{name} = {value!r}: a text was expected")
    return value


def _decimal(row: Mapping[str, object], name: str) -> Decimal:
    try:
        value = Decimal(str(row.get(name)))
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite():
        raise OutcomeUnknown(f"{name} = {row.get(name)!r}: a number was expected")
    return value


def _shares(row: Mapping[str, object], name: str) -> int:
    value = _decimal(row, name)
    if not 0 <= value <= MOST_SHARES or value % 1:
        raise OutcomeUnknown(f"{name} = {row.get(name)!r}: whole shares were expected")
    return int(value)


def _price(row: Mapping[str, object], name: str) -> Decimal:
    value = _decimal(row, name)
    if not 0 < value <= MOST_DOLLARS:
        raise OutcomeUnknown(f"{name} = {row.get(name)!r}: a price was expected")
    return value


def _moment(row: Mapping[str, object], *names: str) -> datetime:
    """The first of the named stamps that is there, in UTC; nanoseconds are cut."""
    text = next((row[name] for name in names if row.get(name)), None)
    try:
        moment = datetime.fromisoformat(str(text))
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):  # no time, or none that UTC could say
        raise OutcomeUnknown(f"{names[0]} = {text!r}: a time was expected") from None
