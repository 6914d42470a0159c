"""What an account has and does, read for the checks; only what a bound asks for is read."""

import threading
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from django.db.models import QuerySet, Subquery, Sum
from django.utils import timezone

from deepstack.database.prepared_query import NEVER, Param, Prepared
from execution.context import Context
from execution.domain.event_kinds import SENT
from execution.domain.exchange_time import exchange_midnight
from execution.domain.lifecycle import ORDER_LIVE, SLICE_AT_BROKER, OrderStatus
from execution.domain.risk_checks import Bounds, Exposure
from execution.models import DayTrade, Order, OrderEvent, Slice, TradingState
from execution.models.orders import LEAVES, Side, working
from execution.risk import positions
from execution.risk.checked_order import Book, CheckedOrder, Traded
from execution.risk.marks import NO_MARKS, Marks, Needed
from execution.risk.portfolio_heat import heat

MINUTE = timedelta(minutes=1)
# More events than transactions can have under way that are not visible yet.
SLACK = 2_000
_EVENT_SPAN = Prepared[tuple[int, int]](
    lambda: (
        OrderEvent.objects.filter(kind__in=SENT, recorded_at_real__gt=Param("since", NEVER))
        .order_by("recorded_at_real")
        .values_list("pk", Subquery(OrderEvent.objects.order_by("-pk").values("pk")[:1]))[:1]
    ),
    many=True,
)
ZERO = Decimal(0)

# Asked for the whole book, and the order's own part taken off it: all of a set that trade in one
# symbol ask the same.
_PENDING = Prepared[tuple[int]](
    lambda: (
        Order.objects.filter(
            account=Param("account", ""),
            symbol=Param("symbol", ""),
            side=Param("side", ""),
            status__in=sorted(ORDER_LIVE),
        )
        .order_by()
        .values("account")
        .annotate(pending=Sum(LEAVES))
        .values_list("pending")
    ),
    many=True,
)
_OWN = Prepared[tuple[int]](
    lambda: Order.objects.filter(pk=Param("order", 0), status__in=sorted(ORDER_LIVE)).values_list(
        LEAVES
    ),
    many=True,
)
_TRADED = Prepared[Traded](
    lambda: DayTrade.objects.filter(
        account=Param("account", ""), midnight=Param("midnight", NEVER), broker=Param("broker", "")
    ).values_list("symbol", "side", "shares", "money", "fees"),
    many=True,
)


def read_ahead(
    orders: Iterable[Order], bounds: Bounds, context: Context, *, now: datetime, loss_set: bool
) -> None:
    """For `read`, of orders of which a child is about to leave at about `now`. `loss_set`: some
    limit that a person has set may bound the day's loss, too."""
    orders = list(orders)
    if bounds.max_position is not None or bounds.max_portfolio_heat is not None:
        positions.read_ahead(((order.account, order.symbol) for order in orders), context)
        _PENDING.read_ahead(map(_book, orders))
        _OWN.read_ahead({"order": order.pk} for order in orders)
    if loss_set or bounds.max_daily_loss is not None:
        _TRADED.read_ahead(_traded_on(order.account, now, context) for order in orders)
    if bounds.max_messages_per_minute is not None:
        _EVENT_SPAN.read_ahead([{"since": _a_minute_ago()}])


def _book(order: Order) -> dict[str, object]:
    return {"account": order.account, "symbol": order.symbol, "side": order.side}


def _pending_beside(order: Order) -> int:
    """Shares that the other live orders of its account, symbol and side may still trade."""
    (pending,) = _PENDING.first(**_book(order)) or (0,)
    (own,) = (_OWN.first(order=order.pk) if order.pk else None) or (0,)
    return pending - own


def day_trades(account: str, context: Context, *, now: datetime) -> Sequence[Traded]:
    """What the account has traded today at the context's broker."""
    return _TRADED.all(**_traded_on(account, now, context))


def book(account: str, context: Context, *, needed: Needed, now: datetime) -> Book:
    """What the limits ask for, for all orders of a list."""
    return Book(
        day_trades(account, context, now=now) if needed.loss else None,
        positions.held(account, context) if needed.heat else None,
    )


def _traded_on(account: str, now: datetime, context: Context) -> dict[str, object]:
    return {
        "account": account,
        "midnight": exchange_midnight(now),
        "broker": context.broker.name,
    }


def _a_minute_ago() -> datetime:
    """To the second, and not less: those that ask within one second ask the same."""
    return timezone.now().replace(microsecond=0) - MINUTE


def read(
    checked: CheckedOrder,
    bounds: Bounds,
    context: Context,
    *,
    restricted: str | None,
    broken: tuple[str, str] | None,
    reducing: bool,
    opposing: Decimal | None,
    messages: int | None,
) -> Exposure:
    """The numbers that the bounds ask for, or a state of REDUCING."""
    held = pending = None
    hot = bounds.max_portfolio_heat is not None
    if reducing or hot or bounds.max_position is not None:
        held, pending = position(checked, context)
    return Exposure(
        restricted=restricted,
        broken=broken,
        position=held,
        pending=pending,
        opposing=opposing,
        duplicate_of=duplicate(checked, bounds.duplicate_seconds)
        if bounds.duplicate_seconds
        else None,
        open_orders=open_orders(checked) if bounds.max_open_orders is not None else None,
        recent_orders=recent_orders(checked) if bounds.max_orders_per_minute is not None else None,
        recent_messages=messages,
        day_result=day_result(checked, context) if bounds.max_daily_loss is not None else None,
        unspent=unspent(checked),
        heat=heat(checked, bounds.equity, pending or 0, context) if hot else None,
    )


def position(checked: CheckedOrder, context: Context) -> tuple[int | None, int]:
    """Signed shares of the symbol in the account, None where that is not known, and the shares
    pending on the order's side."""
    order = checked.order
    known = positions.held(order.account, context, symbol=order.symbol)
    pending = _pending_beside(order)
    batch = sum(each.quantity for each in checked.alongside if _same_book(each, order))
    return None if known is None else known[order.symbol], pending + checked.working + batch


def working_leaves(order: Order, *, beside: Slice | None = None) -> int:
    """W: shares that the broker holds or may hold for the order, in other slices than `beside`."""
    parts = order.slices.all()
    if beside is not None:
        parts = parts.exclude(pk=beside.pk)
    return working(parts)


def _same_book(one: Order, other: Order) -> bool:
    return (one.account, one.symbol, one.side) == (other.account, other.symbol, other.side)


def opposing(order: Order) -> Decimal | None:
    """The own working limit on the other side that comes closest to trading with the order."""
    row = _OPPOSING[order.side].first(account=order.account, symbol=order.symbol)
    return row[0] if row else None


def nearest_opposing(side: str) -> "QuerySet[Slice, Any]":
    """`opposing` as a query, with the account and symbol as its parameters."""
    children = Slice.objects.filter(
        status__in=sorted(SLICE_AT_BROKER),
        limit_price__isnull=False,
        order__account=Param("account", ""),
        order__symbol=Param("symbol", ""),
        order__side=Side.SELL if side == Side.BUY else Side.BUY,
    )
    nearest = "limit_price" if side == Side.BUY else "-limit_price"
    return children.order_by(nearest).values_list("limit_price")[:1]


_OPPOSING = {
    side: Prepared[tuple[Decimal]](partial(nearest_opposing, side)) for side in Side.values
}


def duplicate(checked: CheckedOrder, seconds: float) -> str | None:
    """An earlier order like this one; one with a reference of its own is meant to be another, and
    one that is amended was compared when it came."""
    order = checked.order
    if order.client_reference or _is_amended(order):
        return None
    if any(
        _same_book(each, order) and each.quantity == order.quantity for each in checked.alongside
    ):
        return "of the same batch"
    alike = _before(order).filter(
        account=order.account, symbol=order.symbol, side=order.side, quantity=order.quantity
    )
    asked = timezone.now() if order._state.adding else order.created_at_real
    found = (
        alike.filter(created_at_real__gt=asked - timedelta(seconds=seconds))
        .exclude(status=OrderStatus.DENIED)
        .first()
    )
    return None if found is None else str(found.pk)


def open_orders(checked: CheckedOrder) -> int:
    account = checked.order.account
    live = _before(checked.order).filter(account=account, status__in=ORDER_LIVE).count()
    return live + sum(each.account == account for each in checked.alongside) + 1


def recent_orders(checked: CheckedOrder) -> int:
    """Of the strategy, or of an account's orders without one; counted anew after a resume."""
    order = checked.order
    since = timezone.now() - MINUTE
    scope, key = runaway_scope(order)
    resumed = TradingState.objects.filter(scope=scope, key=key, changed_at_real__gt=since)
    since = resumed.values_list("changed_at_real", flat=True).first() or since
    recent = Order.objects.filter(strategy=order.strategy, created_at_real__gt=since)
    if not order.strategy:
        recent = recent.filter(account=order.account)
    stored = recent.exclude(status=OrderStatus.DENIED).count()
    batch = sum(runaway_scope(each) == (scope, key) for each in checked.alongside)
    return stored + batch + (order._state.adding and not _is_amended(order))


def runaway_scope(order: Order) -> tuple[str, str]:
    """The trading state that stops a strategy, or what trades without a name."""
    if order.strategy:
        return TradingState.Scope.STRATEGY.value, order.strategy
    return TradingState.Scope.ACCOUNT.value, order.account


def counts_each_message(bounds: Bounds) -> bool:
    """Whether messages are bounded so low that they are counted however few they are."""
    most = bounds.max_messages_per_minute
    return most is not None and most <= SLACK


def messages_at_most() -> int:
    """More than all accounts have sent in the last minute: the events since, of any kind."""
    found = _EVENT_SPAN.first(since=_a_minute_ago())
    return SLACK + (found[1] - found[0] if found else 0)


def recent_messages(account: str) -> int:
    return OrderEvent.objects.filter(
        kind__in=SENT, recorded_at_real__gt=timezone.now() - MINUTE, order__account=account
    ).count()


def unspent(checked: CheckedOrder) -> Decimal | None:
    """The buying power less what was sent since it was reported, and less the buys of the same
    batch. None while the broker does not say."""
    if checked.marks.funds is None:
        return None
    mine = [each for each in checked.alongside if each.account == checked.order.account]
    buys = [each.routing["notional"] for each in mine if each.side == Side.BUY]
    batch = sum((Decimal(value) for value in buys if value is not None), ZERO)
    return checked.marks.funds.left(checked.order.account) - batch


def day_result(checked: CheckedOrder, context: Context) -> Decimal | None:
    """Sold less bought less commission, and what is left over marked at the mid: the result of
    the day's fills at the context's broker alone. None where a price is missing.

    What is traded at the first time after the marks were read has no mid yet: it counts at the
    price that it was just traded at.
    """
    traded = checked.book.traded
    if traded is None:
        traded = day_trades(checked.order.account, context, now=checked.now)
    if _last.result_of(traded, checked.marks):
        return _last.result
    _last.traded, _last.marks = traded, checked.marks
    _last.result = _result(traded, checked.marks)
    return _last.result


class _Last(threading.local):
    """The result of the check before: orders of one list, and children of one set, have their
    account's trades and marks in common, and these may be of thousands of symbols."""

    traded: Sequence[Traded] | None = None
    marks: Marks = NO_MARKS
    result: Decimal | None = None

    def result_of(self, traded: Sequence[Traded], marks: Marks) -> bool:
        same = marks.prices is self.marks.prices and marks.symbols is self.marks.symbols
        return same and traded is self.traded


_last = _Last()


def _result(traded: Sequence[Traded], marks: Marks) -> Decimal | None:
    result, left, paid = ZERO, dict[str, int](), dict[tuple[str, int], Decimal]()
    for symbol, side, shares, money, fees in traded:
        sign = 1 if side == Side.BUY else -1
        result -= sign * money + fees
        left[symbol] = left.get(symbol, 0) + sign * shares
        if shares > 0:
            paid[symbol, sign] = money / shares
    for symbol, shares in left.items():
        mark = marks.prices.get(symbol)
        if mark is None and not marks.read_before(symbol):
            mark = paid.get((symbol, 1 if shares > 0 else -1))
        if shares and mark is None:
            return None
        result += shares * (mark or ZERO)
    return result


def _is_amended(order: Order) -> bool:
    """Drafted anew under the number that it is stored with: it is no further order."""
    return order._state.adding and order.pk is not None


def _before(order: Order) -> QuerySet[Order]:
    new = order._state.adding and not _is_amended(order)
    return Order.objects.all() if new else Order.objects.filter(pk__lt=order.pk)
