"""The report of a period: totals, groups, days and the dearest orders."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TypedDict

from django.db.models import Count, Subquery, Value

from execution.access import desks
from execution.access.desks import Accounts
from execution.domain.exchange_time import day_begins
from execution.models import Order
from monitoring.alerting.order_facts import ENDED
from monitoring.cost_report import day_groups, replayed, stored_days, worst
from monitoring.cost_report.groups import Group, ranked
from monitoring.cost_report.period import DAY, Period, week_of
from monitoring.cost_report.replayed import Replayed
from monitoring.cost_report.worst import DearOrder

# What a person may group by, and how it is called.
BY: Mapping[str, str] = {
    "symbol": "Symbol",
    "strategy": "Strategy",
    "basket": "Basket",
    "algorithm": "Algorithm",
    "broker": "Broker",
    "side": "Side",
    "time": "Time of day (ET)",
    "symbol-algorithm": "Symbol / algorithm",
    "strategy-algorithm": "Strategy / algorithm",
    "algorithm-time": "Algorithm / time of day (ET)",
    "day": "Day",
    "week": "Week",
    "order": "Order",
}
MOST_ORDERS = 200  # that are shown one by one


class Whose(TypedDict):
    """One account (empty: all) of those that the reader sees."""

    account: str
    accounts: Accounts


@dataclass(frozen=True, slots=True)
class Report:
    """`missing` orders ended in the period and are in no figure yet: their day is being summed."""

    period: Period
    by: str
    account: str  # empty: all
    accounts: Accounts  # that the reader sees
    total: Group
    groups: Sequence[tuple[str, Group]]
    days: Mapping[date, Group]
    worst: Sequence[DearOrder]
    missing: int
    replayed: Replayed


def of(
    period: Period, *, by: str = "symbol", account: str = "", accounts: Accounts = None
) -> Report:
    """A dozen queries at most, whatever the number of orders. `accounts`: those that the reader
    sees."""
    whose: Whose = {"account": account, "accounts": accounts}
    grouping = by if by in stored_days.KEPT else day_groups.ALL
    stored = stored_days.read(period.first, period.last, grouping=grouping, **whose)
    fresh = [day for day in period.days() if day not in stored.days]
    read = day_groups.of_days(fresh, groupings=[grouping, "day"], **whose)
    days = _by_day(stored.days, read["day"])
    total = Group.total(days.values())
    dear = worst.dearest([stored.worst, worst.of_days(fresh, **whose)])
    newest, ended = _ended(period, **whose)
    if by == "order":
        parts = day_groups.of_days(list(period.days()), groupings=["order"], ids=newest)["order"]
    else:
        parts = _merged(stored.groups, read[grouping])
    return Report(
        period=period,
        by=by,
        account=account,
        accounts=accounts,
        total=total,
        groups=_groups(by, parts, days),
        days=days,
        worst=worst.explained(dear),
        missing=max(ended - total.orders, 0),
        # Where orders are shown one by one, the page of each has its replays.
        replayed=replayed.NONE if by == "order" else replayed.of(period, **whose),
    )


def _by_day(stored: Mapping[date, Group], fresh: Mapping[str, Group]) -> Mapping[date, Group]:
    read = {date.fromisoformat(day): group for day, group in fresh.items()}
    return dict(sorted({**stored, **read}.items()))


def _groups(
    by: str, parts: Mapping[str, Group], days: Mapping[date, Group]
) -> Sequence[tuple[str, Group]]:
    if by == "day":
        return [(str(day), group) for day, group in days.items()]
    if by == "week":
        return sorted(_merged(*({week_of(day): group} for day, group in days.items())).items())
    return sorted(parts.items()) if by in ("time", "algorithm-time") else ranked(parts)


def _ended(period: Period, *, account: str, accounts: Accounts) -> tuple[Sequence[int], int]:
    """The last orders that ended in the period, at most MOST_ORDERS, and how many did.

    A window function would have all of them sorted, which takes five times as long.
    """
    begin, end = day_begins(period.first), day_begins(period.last + DAY)
    orders = Order.objects.annotate(ended=ENDED).filter(ended__gte=begin, ended__lt=end)
    orders = desks.of_accounts(orders.filter(status__in=day_groups.COUNTED), accounts)
    counted = orders.filter(account=account) if account else orders
    whole = counted.order_by().annotate(all=Value(1)).values("all").annotate(n=Count("pk"))
    rows = counted.order_by("-ended", "-pk").values_list("pk", Subquery(whole.values("n")))
    found = list(rows[:MOST_ORDERS])
    return [pk for pk, _ in found], found[0][1] if found else 0


def _merged(*many: Mapping[str, Group]) -> Mapping[str, Group]:
    parts: dict[str, list[Group]] = defaultdict(list)
    for groups in many:
        for key, group in groups.items():
            parts[key].append(group)
    return {key: Group.total(each) for key, each in parts.items()}
