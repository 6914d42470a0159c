"""The orders under way, against their schedules."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Max

from execution.access import desks
from execution.access.desks import Accounts
from execution.domain.lifecycle import ORDER_LIVE
from execution.models import Order, Slice
from execution.orders.results import actual_slippage_bps
from monitoring.operations import forecast

SHOWN = 25


@dataclass(frozen=True, slots=True)
class LiveOrder:
    """`planned` shares should have been executed by now."""

    order: Order
    planned: int
    forecast_at: datetime | None

    @property
    def behind_percent(self) -> int:
        order = self.order
        share = forecast.behind(
            planned=self.planned, filled=order.filled_quantity, quantity=order.quantity
        )
        return round(100 * share)

    @property
    def slippage_bps(self) -> float | None:
        return actual_slippage_bps(self.order)


def live_orders(now: datetime, accounts: Accounts = None) -> tuple[Sequence[LiveOrder], bool]:
    """Those that end first, and whether there are more than are shown. Two queries."""
    live = desks.of_accounts(Order.objects.filter(status__in=sorted(ORDER_LIVE)), accounts)
    rows = list(live.order_by("end_at")[: SHOWN + 1])
    shown = rows[:SHOWN]
    planned = _planned([order.pk for order in shown], now)
    return [_live(order, planned.get(order.pk, 0), now) for order in shown], len(rows) > SHOWN


def of_one(order: Order, now: datetime) -> LiveOrder:
    """Any order, live or not. One query."""
    return _live(order, _planned([order.pk], now).get(order.pk, 0), now)


def _live(order: Order, planned: int, now: datetime) -> LiveOrder:
    done = forecast.completion(
        start=order.start_at,
        now=now,
        end=order.end_at,
        quantity=order.quantity,
        filled=order.filled_quantity,
        planned=planned,
    )
    return LiveOrder(order, min(planned, order.quantity), done)


def _planned(order_ids: Sequence[int], now: datetime) -> Mapping[int, int]:
    due = Slice.objects.filter(order__in=order_ids, due_at__lte=now)
    return dict(due.values_list("order").annotate(n=Max("cumulative_quantity")).order_by())
