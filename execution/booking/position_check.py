"""Whether the kept positions and day's trades are what the fills add up to; how to mend them."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.db import connection, transaction

# Fills of orders that were archived, summed by the trigger that saw them go, are fills like any.
_TRADES = """(
SELECT f.broker, o.account,
       date_trunc('day', f.executed_at AT TIME ZONE 'America/New_York')
         AT TIME ZONE 'America/New_York' AS midnight,
       o.symbol, o.side, sum(f.quantity) AS shares, sum(f.quantity * f.price) AS money,
       coalesce(sum(f.commission), 0) AS fees
  FROM execution_fill f JOIN execution_order o ON o.id = f.order_id
 GROUP BY 1, 2, 3, 4, 5
 UNION ALL
SELECT broker, account, midnight, symbol, side, shares, money, fees FROM execution_archivedtrade
) AS traded"""
_COMPARED: Mapping[str, str] = {
    "position": f"""
SELECT concat_ws(' ', broker, account, symbol), kept, summed
FROM (SELECT broker, account, symbol, shares AS kept FROM execution_position) p
FULL JOIN (SELECT broker, account, symbol,
                  sum(CASE side WHEN 'BUY' THEN shares ELSE -shares END) AS summed
             FROM {_TRADES} GROUP BY 1, 2, 3) s USING (broker, account, symbol)
WHERE coalesce(kept, 0) <> coalesce(summed, 0)
ORDER BY 1
""",  # noqa: S608
    "day's trades": f"""
SELECT concat_ws(' ', broker, account, midnight, side, symbol),
       concat_ws(', ', p.shares, p.money, p.fees), concat_ws(', ', s.shares, s.money, s.fees)
FROM execution_daytrade p
FULL JOIN (SELECT broker, account, midnight, symbol, side,
                  sum(shares) AS shares, sum(money) AS money, sum(fees) AS fees
             FROM {_TRADES} GROUP BY 1, 2, 3, 4, 5) s
    USING (broker, account, midnight, symbol, side)
WHERE (coalesce(p.shares, 0), coalesce(p.money, 0), coalesce(p.fees, 0))
   <> (coalesce(s.shares, 0), coalesce(s.money, 0), coalesce(s.fees, 0))
ORDER BY 1
""",  # noqa: S608
}
_REBUILD = f"""
LOCK TABLE execution_fill IN SHARE ROW EXCLUSIVE MODE;
DELETE FROM execution_position;
DELETE FROM execution_daytrade;
INSERT INTO execution_position (broker, account, symbol, shares)
SELECT broker, account, symbol, sum(CASE side WHEN 'BUY' THEN shares ELSE -shares END)
  FROM {_TRADES} GROUP BY 1, 2, 3;
INSERT INTO execution_daytrade (broker, account, midnight, symbol, side, shares, money, fees)
SELECT broker, account, midnight, symbol, side, sum(shares), sum(money), sum(fees)
  FROM {_TRADES} GROUP BY 1, 2, 3, 4, 5;
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class Difference:
    table: str
    key: str
    kept: str
    summed: str

    def __str__(self) -> str:
        return f"{self.table} {self.key}: kept {self.kept}, the fills add up to {self.summed}"


def differences() -> list[Difference]:
    """Reads every fill, in one snapshot a table: what is booked meanwhile does not matter."""
    with connection.cursor() as cursor:
        found = []
        for table, text in _COMPARED.items():
            cursor.execute(text)
            found += [
                Difference(table, key, str(kept or 0), str(summed or 0))
                for key, kept, summed in cursor.fetchall()
            ]
    return found


@transaction.atomic
def rebuild() -> None:
    """Both tables anew from the fills; bookings wait meanwhile."""
    with connection.cursor() as cursor:
        cursor.execute(_REBUILD)
