"""The orders of exchange dates, grouped by PostgreSQL: one statement, however many orders.

A report over weeks adds the days that are stored (`DayCosts`); only today, and a day whose summary
is not written yet, are read from the orders.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import connection

from execution.access.desks import Accounts
from execution.domain.lifecycle import ORDER_TERMINAL, OrderStatus
from execution.models import ArchivedOrder, Order, Slice
from monitoring.cost_report import spread
from monitoring.cost_report.estimates import Sums
from monitoring.cost_report.groups import Group
from monitoring.cost_report.measures import MAIN, MEASURES
from monitoring.models import CostAnalysis
from monitoring.trading_days import bounds

_TIME = "to_char(date_bin('30 minutes', began, timestamp '2000-01-01'), 'HH24:MI')"
# By the name of each: what the orders of a group have in common, in SQL over FACTS.
GROUPINGS: Mapping[str, str] = {
    "symbol": "symbol",
    "strategy": "strategy",
    "basket": "basket",
    "algorithm": "algorithm",
    "broker": "broker",
    "time": _TIME,
    "side": "side",
    "symbol-algorithm": "symbol || ' / ' || algorithm",
    "strategy-algorithm": "strategy || ' / ' || algorithm",
    "algorithm-time": f"algorithm || ' / ' || {_TIME}",
    "day": "to_char(ended, 'YYYY-MM-DD')",
    "order": "id || ' ' || side || ' ' || symbol",
}
ALL = "all"  # the grouping that has one group, of no name
COUNTED = sorted(ORDER_TERMINAL - {OrderStatus.DENIED})

Grouped = Mapping[str, Mapping[str, Group]]  # by grouping, then by the group's name

# A decision price outside its collar has no shortfall: its parts are null there. OFFSET 0 has
# PostgreSQL look into the index once a span of days; joined, it reads every order that ever was.
FACTS = f"""
SELECT o.id, o.symbol, o.strategy, o.basket, o.algorithm, o.side, o.quantity AS ordered,
       o.filled_quantity AS shares, o.filled_notional AS value, o.commission,
       CASE o.side WHEN 'SELL' THEN -1 ELSE 1 END AS s,
       o.start_at AT TIME ZONE 'America/New_York' AS began,
       coalesce(o.finished_at, o.created_at) AT TIME ZONE 'America/New_York' AS ended,
       (o.arrival_bid + o.arrival_ask) / 2 AS mid,
       o.estimated_slippage_bps::numeric AS estimated_bps,
       o.quantity * o.decision_price AS paper_value,
       c.market_vwap AS vwap, c.market_twap AS twap, c.pwp_price AS pwp, c.market_volume,
       c.delay, c.trading, c.opportunity, c.fees, c.reversion_bps, c.late_reversion_bps,
       c.pwp10_bps, c.pwp5_bps, c.open_bps, c.close_bps, c.spread_capture,
       o.filled_quantity > 0 AND (c.order_id IS NULL OR c.due_at_real IS NOT NULL) AS preliminary,
       coalesce((SELECT sl.broker FROM {Slice._meta.db_table} sl
                  WHERE sl.order_id = o.id AND sl.broker <> '' LIMIT 1),
                nullif(ar.broker, '')) AS broker
  FROM unnest(%(begins)s::timestamptz[], %(ends)s::timestamptz[]) AS within (begins, ends)
 CROSS JOIN LATERAL (
       SELECT * FROM {Order._meta.db_table} o
        WHERE coalesce(o.finished_at, o.created_at) >= within.begins
          AND coalesce(o.finished_at, o.created_at) < within.ends
          AND o.status = ANY(%(statuses)s) AND (%(account)s = '' OR o.account = %(account)s)
          AND (%(accounts)s::text[] IS NULL OR o.account = ANY(%(accounts)s))
          AND (%(ids)s::bigint[] IS NULL OR o.id = ANY(%(ids)s)) OFFSET 0) o
  LEFT JOIN {CostAnalysis._meta.db_table} c ON c.order_id = o.id
  LEFT JOIN {ArchivedOrder._meta.db_table} ar ON ar.order_id = o.id
"""  # noqa: S608


def of_days(
    days: Collection[date],
    *,
    groupings: Collection[str],
    account: str = "",
    accounts: Accounts = None,
    ids: Sequence[int] | None = None,
) -> Grouped:
    """The groups of the orders that ended on these days; `account` empty: of all accounts, or of
    all `accounts` that the reader sees.

    `ids`: of these orders alone.
    """
    chosen = [name for name in GROUPINGS if name in groupings]
    found: dict[str, dict[str, Group]] = {name: {} for name in (ALL, *chosen)}
    for grouping, key, *values in rows(_sums_of(chosen), asked(days, account, ids, accounts)):
        found[grouping][key or ""] = _group(values)
    return found


def asked(
    days: Collection[date],
    account: str,
    ids: Sequence[int] | None = None,
    accounts: Accounts = None,
) -> Mapping[str, Any]:
    """The values of FACTS. Neighbouring days are one span."""
    begins: list[datetime] = []
    ends: list[datetime] = []
    for day in sorted(days):
        begin, end = bounds(day)
        if ends and ends[-1] == begin:
            ends[-1] = end
        else:
            begins.append(begin)
            ends.append(end)
    spans = {"begins": begins, "ends": ends}
    own = None if accounts is None else sorted(accounts)
    return {**spans, "statuses": COUNTED, "account": account, "accounts": own, "ids": ids}


def _group(values: Sequence[Any]) -> Group:
    orders, executed, preliminary, ordered, shares, value, commission, ranges, *sums = values
    return Group(
        orders,
        executed,
        preliminary,
        int(ordered),
        int(shares),
        value,
        commission,
        _measured(sums),
        Counter(ranges or ()),
    )


def _measured(values: Sequence[Any]) -> Mapping[str, Sums]:
    each = zip(*[iter(values)] * 6, strict=True)
    found = {
        name: Sums(n, cost or Decimal(0), basis or Decimal(0), cc or 0.0, cb or 0.0, bb or 0.0)
        for name, (n, cost, basis, cc, cb, bb) in zip(MEASURES, each, strict=True)
    }
    return {name: sums for name, sums in found.items() if sums.orders}


def rows(text: str, values: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
    with connection.cursor() as cursor:
        cursor.execute(text, values)
        found: Sequence[Sequence[Any]] = cursor.fetchall()
        return found


def _sums_of(groupings: Sequence[str]) -> str:
    """Both sides of each measure are computed once a row, below the sums: OFFSET 0 keeps
    PostgreSQL from computing them again in each of them."""
    sides = ", ".join(_sides(number, name) for number, name in enumerate(MEASURES))
    sums = ", ".join(_six_sums(number, name) for number, name in enumerate(MEASURES))
    counted = "shares, preliminary, ordered, value, commission"
    number = f"CASE WHEN shares * mid > 0 THEN {_range()} END"
    return f"""
WITH facts AS ({FACTS}),
     sides AS (SELECT {_keys(groupings)} {sides}, {counted}, {number} AS number
                 FROM facts OFFSET 0)
SELECT {_naming(groupings)},
       count(*), count(*) FILTER (WHERE shares > 0), count(*) FILTER (WHERE preliminary),
       coalesce(sum(ordered), 0), coalesce(sum(shares), 0), coalesce(sum(value), 0),
       coalesce(sum(commission), 0), array_agg(number) FILTER (WHERE number IS NOT NULL), {sums}
  FROM sides GROUP BY GROUPING SETS ({_sets(groupings)})
"""  # noqa: S608


def _sides(number: int, name: str) -> str:
    measure = MEASURES[name]
    return f"({measure.cost})::numeric AS c{number}, ({measure.basis})::numeric AS b{number}"


def _six_sums(number: int, name: str) -> str:
    """Orders, cost, basis; and the squares, where an interval is asked for."""
    cost, basis = f"c{number}", f"b{number}"
    known = f"FILTER (WHERE {cost} IS NOT NULL AND {basis} > 0)"
    plain = [f"count(*) {known}", f"sum({cost}) {known}", f"sum({basis}) {known}"]
    if not MEASURES[name].interval:
        return ", ".join([*plain, "0.0::float8", "0.0::float8", "0.0::float8"])
    c, b = f"{cost}::float8", f"{basis}::float8"
    return ", ".join([*plain, *(f"sum({x} * {y}) {known}" for x, y in ((c, c), (c, b), (b, b)))])


def _range() -> str:
    """The number of the order's range of cost, as `spread.number_of`."""
    cost, basis = MEASURES[MAIN].cost, MEASURES[MAIN].basis
    number = f"floor(({cost}) * 10000 / ({basis}) / {spread.WIDTH})"
    return f"least(greatest({number}, {-spread.BOUND}), {spread.BOUND - 1})::int"


def _keys(groupings: Sequence[str]) -> str:
    return "".join(f"{GROUPINGS[name]} AS k{place}, " for place, name in enumerate(groupings))


def _sets(groupings: Sequence[str]) -> str:
    """Each grouping alone, and all rows together."""
    return ", ".join([*(f"(k{place})" for place in range(len(groupings))), "()"])


def _naming(groupings: Sequence[str]) -> str:
    """The name of the row's grouping, and of its group."""
    if not groupings:
        return f"'{ALL}', ''"
    whens = " ".join(
        f"WHEN GROUPING(k{place}) = 0 THEN '{name}'" for place, name in enumerate(groupings)
    )
    keys = ", ".join(f"k{place}" for place in range(len(groupings)))
    return f"CASE {whens} ELSE '{ALL}' END, coalesce({keys})"
