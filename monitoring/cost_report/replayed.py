"""Algorithm against algorithm: what the orders of a period would have cost by each, replayed.

The difference of two algorithms is that of the same orders on the same tape, so that the market's
own moves, alike for both, do not hide it. The orders of one symbol and day count as one
observation, as they met the same moves.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from itertools import combinations

from django.db import connection

from execution.access.desks import Accounts
from execution.domain.algorithms.registry import ALGOS
from execution.models import Order
from monitoring.cost_report.estimates import Sums
from monitoring.cost_report.period import Period
from monitoring.models import OrderReplay
from monitoring.trading_days import bounds

MOST_ORDERS = 2_000  # the last ones that ended
BPS = 10_000


class Verdict(StrEnum):
    LESS = "costs less"
    MORE = "costs more"
    NOT_TOLD_APART = "not told apart"  # the 95 % interval holds zero
    TOO_FEW = "too few to tell"


@dataclass(frozen=True, slots=True)
class Difference:
    """The cost of the first less that of the second, value-weighted; of `sums` each observation is
    the orders of one symbol and day."""

    orders: int
    sums: Sums
    filled: float | None = None  # shares executed over shares ordered, of a single algorithm

    @property
    def bps(self) -> float | None:
        return None if self.sums.rate is None else float(self.sums.rate) * BPS

    @property
    def margin_bps(self) -> float | None:
        """Half of the 95 % interval."""
        half = self.sums.half_width
        return None if half is None else half * BPS

    @property
    def verdict(self) -> Verdict:
        bps, half = self.bps, self.margin_bps
        if bps is None or half is None:
            return Verdict.TOO_FEW
        if abs(bps) <= half:
            return Verdict.NOT_TOLD_APART
        return Verdict.MORE if bps > 0 else Verdict.LESS


@dataclass(frozen=True, slots=True)
class Replayed:
    """Of the last orders of the period that were replayed. `ways`: what each algorithm would have
    cost; `pairs`: how two of them differ, what is told apart first; `error`: the replay of an
    order's own algorithm less what it really cost, None where no order has both."""

    ways: Mapping[str, Difference]
    pairs: Mapping[tuple[str, str], Difference]
    error: Difference | None

    @property
    def orders(self) -> int:
        return max((way.orders for way in self.ways.values()), default=0)


NONE = Replayed({}, {}, None)

# A column for each algorithm, so that two are compared within a row: joining the replays of an
# order with each other takes twice as long.
_COST = {name: f"cost_{number}" for number, name in enumerate(sorted(ALGOS))}
_DONE = {name: f"done_{number}" for number, name in enumerate(sorted(ALGOS))}


def _text() -> str:
    """The statement: the observations of each algorithm, of each pair and of the model's error,
    added up. Of the replays of an algorithm that is not registered any more it knows none."""
    columns = [
        f"max({value}) FILTER (WHERE r.algorithm = '{name}') AS {column[name]}"
        for value, column in (("r.shortfall_bps::float8", _COST), ("r.filled_quantity", _DONE))
        for name in ALGOS
    ]
    compared = [
        *(("", "", "error", None),),
        *((name, "", _COST[name], _DONE[name]) for name in ALGOS),
        *((a, b, f"{_COST[a]} - {_COST[b]}", None) for a, b in combinations(sorted(ALGOS), 2)),
    ]
    sums = [_observed(number, cost, done) for number, (_, _, cost, done) in enumerate(compared)]
    rows = [
        f"('{one}', '{other}', n{number}, done{number}, ordered{number}, c{number}, b{number})"
        for number, (one, other, _, _) in enumerate(compared)
    ]
    return f"""
WITH newest AS MATERIALIZED (
  SELECT o.symbol, (o.start_at AT TIME ZONE 'America/New_York')::date AS day, o.quantity,
         (o.quantity * (o.arrival_bid + o.arrival_ask) / 2)::float8 AS basis, r.*
    FROM {Order._meta.db_table} o
   CROSS JOIN LATERAL (
         SELECT count(*) AS known, max((r.shortfall_bps - r.actual_bps)::float8) AS error,
                {", ".join(columns)}
           FROM {OrderReplay._meta.db_table} r
          WHERE r.order_id = o.id AND r.shortfall_bps IS NOT NULL) r
   WHERE coalesce(o.finished_at, o.created_at) >= %(begin)s
     AND coalesce(o.finished_at, o.created_at) < %(end)s
     AND (%(account)s = '' OR o.account = %(account)s)
     AND (%(accounts)s::text[] IS NULL OR o.account = ANY(%(accounts)s))
     AND r.known > 0
   ORDER BY coalesce(o.finished_at, o.created_at) DESC LIMIT {MOST_ORDERS}),
observed AS (SELECT {", ".join(sums)} FROM newest GROUP BY symbol, day)
SELECT one, other, sum(n), sum(done) / nullif(sum(ordered), 0),
       count(*), sum(c), sum(b), sum(c * c), sum(c * b), sum(b * b)
  FROM observed, LATERAL (VALUES {", ".join(rows)}) AS each (one, other, n, done, ordered, c, b)
 WHERE n > 0 GROUP BY one, other
"""  # noqa: S608


def _observed(number: int, cost: str, done: str | None) -> str:
    """Of the orders of which the cost is known: their number, executed and ordered shares, cost and
    basis."""
    known = f"FILTER (WHERE {cost} IS NOT NULL)"
    return (
        f"count({cost}) AS n{number}, sum({done or 0}) {known} AS done{number},"
        f" sum({'quantity' if done else 0}) {known} AS ordered{number},"
        f" sum(({cost}) * basis) / {BPS} AS c{number}, sum(basis) {known} AS b{number}"
    )


_DIFFERENCES = _text()


def of(period: Period, *, account: str = "", accounts: Accounts = None) -> Replayed:
    """One query. `accounts`: those that the reader sees."""
    asked: dict[str, datetime | str | list[str] | None] = {
        "begin": bounds(period.first)[0],
        "end": bounds(period.last)[1],
        "account": account,
        "accounts": None if accounts is None else sorted(accounts),
    }
    with connection.cursor() as cursor:
        cursor.execute(_DIFFERENCES, asked)
        found = {(one, other): _difference(*rest) for one, other, *rest in cursor.fetchall()}
    ways = {name: found[name, ""] for name in ALGOS if (name, "") in found}
    pairs = {pair: each for pair, each in found.items() if all(pair)}
    return Replayed(ways, dict(sorted(pairs.items(), key=_rank)), found.get(("", "")))


def _difference(
    orders: Decimal, filled: Decimal | None, observed: int, cost: float, basis: float, *rest: float
) -> Difference:
    sums = Sums(observed, Decimal(repr(cost)), Decimal(repr(basis)), *rest)
    return Difference(int(orders), sums, None if filled is None else float(filled))


def _rank(item: tuple[tuple[str, str], Difference]) -> tuple[bool, float, tuple[str, str]]:
    """What is told apart first, the largest difference first."""
    pair, found = item
    told_apart = found.verdict in (Verdict.LESS, Verdict.MORE)
    return not told_apart, -abs(found.bps or 0), pair
