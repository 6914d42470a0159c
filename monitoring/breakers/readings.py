"""What the circuit breakers measure, read from the rows once a second by the monitor alone: no
slice waits for it. A breaker without a threshold costs nothing."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal

import structlog
from django.db.models import Case, Count, F, Min, Q, QuerySet, Sum, When

from deepstack.config_breakers import Breakers
from execution.domain.event_kinds import SENT, EventKind
from execution.domain.exchange_time import exchange_midnight
from execution.domain.lifecycle import ORDER_SENDING, SLICE_CLAIMABLE
from execution.market.base import MarketData, MarketDataUnavailable
from execution.models import DayTrade, Order, OrderEvent, Slice
from execution.models.orders import Side
from execution.orders.results import ARRIVAL_KNOWN, ARRIVAL_PRICE, actual_slippage_bps
from monitoring.breakers.rules import Reading
from monitoring.clocks import Moment

log = structlog.get_logger(__name__)

NO_QUOTE = ("QUOTE_MISSING", "QUOTE_STALE", "QUOTE_CROSSED")
# When a person last resumed what a breaker held, by the breaker and its account.
Resumed = Mapping[tuple[str, str], datetime]

_SIGN = Case(When(side=Side.BUY, then=1), default=-1)
_AT_ARRIVAL = ARRIVAL_PRICE * F("filled_quantity")


def from_rows(
    orders: Collection[int], settings: Breakers, moment: Moment, resumed: Resumed
) -> Iterator[Reading]:
    """All but the loss. `orders`: those with new events."""
    if settings.order_slippage.threshold is not None:
        yield from _of_orders(orders, settings.order_slippage.least_value)
    if (
        settings.symbol_slippage.threshold is not None
        or settings.day_slippage.threshold is not None
    ):
        yield from _of_the_day(settings, moment)
    if settings.reject_rate.threshold is not None:
        yield from _rejects(settings, moment, resumed)
    if settings.stale_data.threshold is not None:
        yield from _stale(moment)
    if settings.runaway.threshold is not None:
        yield from _runaway(settings, moment, resumed)


def losses(market: MarketData, moment: Moment) -> Iterator[Reading]:
    """Of each account's trades of the day, valued at the mids of now. An account with a symbol
    that has no quote is left out: what is not known trips nothing."""
    results: dict[str, Decimal | None] = defaultdict(Decimal)
    rows = DayTrade.objects.filter(midnight=exchange_midnight(moment.now))
    for row in rows.values("account", "symbol").annotate(
        held=Sum(F("shares") * _SIGN), paid=Sum(F("money") * _SIGN + F("fees"))
    ):
        mid = _mid(market, row["symbol"], moment.now) if row["held"] else Decimal(0)
        before = results[row["account"]]
        known = mid is not None and before is not None
        results[row["account"]] = before + row["held"] * mid - row["paid"] if known else None
    for account, result in sorted(results.items()):
        if result is not None and result < 0:
            yield Reading("daily_loss", -result, account=account)


def _mid(market: MarketData, symbol: str, at: datetime) -> Decimal | None:
    try:
        quote = market.quote(symbol, at)
    except MarketDataUnavailable:
        return None
    return quote.mid if quote is not None else None


def _of_orders(orders: Collection[int], least_value: Decimal) -> Iterator[Reading]:
    live = Order.objects.filter(
        pk__in=orders, status__in=sorted(ORDER_SENDING), filled_notional__gte=least_value
    )
    for order in live.order_by("pk"):
        cost = actual_slippage_bps(order)
        if cost is not None:
            yield Reading(
                "order_slippage",
                Decimal(str(cost)),
                order.account,
                order.symbol,
                order.strategy,
                order.pk,
            )


def _of_the_day(settings: Breakers, moment: Moment) -> Iterator[Reading]:
    """s (sum of filled value - sum of arrival mid x shares) / sum of arrival mid x shares."""
    orders = Order.objects.filter(
        ARRIVAL_KNOWN, created_at__gte=exchange_midnight(moment.now), filled_quantity__gt=0
    )
    rows = list(
        orders.order_by()
        .values("account", "symbol")
        .annotate(paid=Sum(_SIGN * (F("filled_notional") - _AT_ARRIVAL)), value=Sum(_AT_ARRIVAL))
    )
    accounts: dict[str, list[Decimal]] = defaultdict(lambda: [Decimal(0), Decimal(0)])
    for row in rows:
        accounts[row["account"]][0] += row["paid"]
        accounts[row["account"]][1] += row["value"]
        if row["value"] >= settings.symbol_slippage.least_value and row["value"]:
            cost = row["paid"] / row["value"] * 10_000
            yield Reading("symbol_slippage", cost, row["account"], row["symbol"])
    for account, (cost, value) in accounts.items():
        if value >= settings.day_slippage.least_value and value:
            yield Reading("day_slippage", cost / value * 10_000, account)


def _sent(name: str, minutes: float, moment: Moment, resumed: Resumed) -> "QuerySet[OrderEvent]":
    """The sends of a window that ends now, without those before a person last resumed."""
    since = moment.real_now - timedelta(minutes=minutes)
    found = OrderEvent.objects.filter(kind__in=SENT, recorded_at_real__gte=since)
    for (breaker, account), when in resumed.items():
        if breaker == name and when > since:
            found = found.exclude(order__account=account, recorded_at_real__lt=when)
    return found


def _rejects(settings: Breakers, moment: Moment, resumed: Resumed) -> Iterator[Reading]:
    """A child's refusal has a higher number than its send, which is how it is found quickly."""
    rule = settings.reject_rate
    sends = _sent("reject_rate", rule.window_minutes, moment, resumed)
    counts = sends.order_by().values("order__account").annotate(n=Count("pk"), first=Min("pk"))
    for row in counts:
        account = row["order__account"]
        if row["n"] < rule.least_children:
            continue
        refused = OrderEvent.objects.filter(
            kind=EventKind.BROKER_REJECTED,
            pk__gt=row["first"],
            order__account=account,
        ).count()
        share = min(Decimal(refused) / row["n"], Decimal(1))
        yield Reading("reject_rate", share, account=account)


def _stale(moment: Moment) -> Iterator[Reading]:
    """Seconds of real time that the longest-waiting due slice of a symbol waits for a quote."""
    reasons = Q(pk__in=())
    for code in NO_QUOTE:
        reasons |= Q(reason__startswith=code)
    waiting = Slice.objects.filter(
        reasons,
        status__in=sorted(SLICE_CLAIMABLE),
        due_at__lt=moment.now,
        order__status__in=sorted(ORDER_SENDING),
    )
    rows = waiting.order_by().values("order__symbol").annotate(oldest=Min("due_at"))
    for row in rows:
        seconds = (moment.now - row["oldest"]).total_seconds() / moment.speed
        yield Reading("stale_data", Decimal(str(seconds)), symbol=row["order__symbol"])


def _runaway(settings: Breakers, moment: Moment, resumed: Resumed) -> Iterator[Reading]:
    sends = _sent("runaway", settings.runaway.window_minutes, moment, resumed)
    rows = sends.order_by().values("order__account", "order__strategy").annotate(n=Count("pk"))
    for row in rows:
        yield Reading(
            "runaway",
            Decimal(row["n"]),
            account=row["order__account"],
            strategy=row["order__strategy"],
        )
