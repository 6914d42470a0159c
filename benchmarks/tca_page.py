"""How long the TCA report takes with 100,000 orders behind it.

`python -m benchmarks.tca_page [--orders 100000] [--days 20]` starts a PostgreSQL of its own, stores
orders, their costs and replays that ended on so many days, sums the days as the service does at
night, and asks for the page of the whole period by each grouping. It prints one JSON document:
milliseconds of the page, those of the web process's processor, and its queries; what the comparison
of algorithms takes of them; and as a yardstick how long a count of the orders joined with their
costs takes.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.load import stolen_since
from deepstack import processes
from deepstack.local import embedded_servers

ROUNDS = 5
FIRST, LAST = "2026-03-02", "2026-03-31"
_ORDERS = """
INSERT INTO execution_order (account, strategy, symbol, side, quantity, urgency, algorithm,
    parameters, asked, own_settings, routing, start_at, end_at, created_at, finished_at,
    created_at_real, seed, slice_count, status, status_reason, version, filled_quantity,
    filled_notional, commission, decision_price, decision_within_collar, arrival_bid, arrival_ask,
    estimated_slippage_bps, submitted_by, submitted_via)
SELECT 'main', 's' || n %% 7, 'SYM' || n %% 50, (ARRAY['BUY', 'SELL'])[1 + n %% 2], q, 'NORMAL',
    (ARRAY['TWAP', 'VWAP', 'MARKET', 'POV'])[1 + n %% 4], '{}', '{}', '{}', '{}', at,
    at + interval '30 minutes', at, at + interval '25 minutes', at, n, 20, 'FILLED', '', 1, q,
    round((q * p * (1 + (random() - 0.45) * 0.002))::numeric, 6), q * 0.005, round(p::numeric, 4),
    true, round((p * 0.9998)::numeric, 4), round((p * 1.0002)::numeric, 4), 4 + random(), '', 'API'
  FROM (SELECT n, (100 + random() * 5000)::int AS q, 20 + random() * 300 AS p,
               %(first)s::timestamp AT TIME ZONE 'America/New_York'
               + n %% %(days)s * interval '1 day'
               + interval '10 hours' + random() * interval '5 hours' AS at
          FROM generate_series(1, %(orders)s) n) made
"""
_COSTS = """
INSERT INTO monitoring_costanalysis (order_id, event_id, attempts, computed_at_real, average_price,
    market_vwap, market_twap, market_volume, final_price, pwp_price, delay, trading, opportunity,
    fees, arrival_bps, vwap_bps, twap_bps, shortfall_bps, participation, reversion_bps)
SELECT id, 1, 0, finished_at, filled_notional / filled_quantity, arrival_bid * 1.0003,
    arrival_bid * 1.0004, filled_quantity * 30, arrival_ask, arrival_bid, random() * 10,
    random() * 30 - 5, 0, commission, random() * 20 - 9, random() * 20 - 9, random() * 20 - 9, 5,
    0.03, 1
  FROM execution_order
"""
_REPLAYS = """
INSERT INTO monitoring_orderreplay (order_id, algorithm, own, start_at, end_at, problem, children,
    filled_quantity, fees, arrival_bps, shortfall_bps, actual_bps, assumes, computed_at_real)
SELECT id, way, way = algorithm, start_at, end_at, '', 20, filled_quantity, 5, random() * 20 - 9,
    random() * 20 - 9, CASE WHEN way = algorithm THEN random() * 20 - 9 END, '{}', finished_at
  FROM execution_order, unnest(ARRAY['MARKET', 'LIMIT', 'TWAP', 'VWAP', 'POV', 'IS']) AS way
"""
_YARDSTICK = """
SELECT count(*) FROM execution_order o JOIN monitoring_costanalysis c ON c.order_id = o.id
"""


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--orders", type=int, default=100_000)
    words.add_argument("--days", type=int, default=20)
    asked = words.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="deepstack-tca-") as folder,
        embedded_servers.started(Path(folder)) as servers,
    ):
        os.environ |= {
            "DATABASE_URL": servers.database_url,
            "REDIS_URL": servers.redis_url,
            "SECRET_KEY": "only-for-a-benchmark-" + "x" * 40,
            "ALLOWED_HOSTS": "localhost",
            "LOG_FILE": f"{folder}/deepstack.log",
            "LOG_LEVEL": "WARNING",
        }
        subprocess.run(processes.manage("migrate", "--verbosity", "0"), check=True)
        json.dump(figures(asked.orders, asked.days), sys.stdout, indent=2)
        print()


def figures(orders: int, days: int) -> dict[str, object]:
    from deepstack import django_setup

    django_setup.ensure()
    from django.contrib.auth.models import User
    from django.test import Client

    from execution.domain.exchange_time import exchange_day
    from monitoring.clocks import Moment
    from monitoring.cost_report import period, replayed
    from monitoring.cost_report.report import BY

    summed = _store(orders, days)
    client = Client(SERVER_NAME="localhost")
    client.force_login(User.objects.create_superuser("bench"))
    stolen, span = stolen_since(), f"from={FIRST}&to={LAST}"
    whole = period.read(FIRST, LAST, None, today=exchange_day(Moment.read().now))
    return {
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
        "orders": orders,
        "days": days,
        "seconds_to_sum_a_day": round(summed / days, 2),
        "yardstick_ms": _median_ms(lambda: _run(_YARDSTICK)),
        "comparison_ms": _median_ms(lambda: replayed.of(whole)),
        "page": {by: _page(client, f"/admin/tca/?{span}&by={by}", orders) for by in BY},
        "stolen_percent": stolen(),
    }


def _store(orders: int, days: int) -> float:
    """The seconds that the summaries of the days took."""
    from deepstack.config import current
    from monitoring.alerting import thresholds
    from monitoring.clocks import Moment
    from monitoring.reporting import daily_summaries

    values = {"first": FIRST, "days": days, "orders": orders}
    _run("SET statement_timeout = 0")
    for text in (_ORDERS, _COSTS, _REPLAYS, "VACUUM ANALYZE"):
        _run(text, values)
    _run("RESET statement_timeout")
    moment = Moment.read()
    began = time.monotonic()
    limits = thresholds.of(current(), moment)
    daily_summaries.build_missing(moment.now, real_now=moment.real_now, limits=limits)
    return time.monotonic() - began


def _page(client: object, path: str, orders: int) -> dict[str, float]:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    def ask() -> None:
        answer = client.get(path)  # type: ignore[attr-defined]
        if f"{orders:,} orders" not in answer.content.decode():
            raise RuntimeError(f"{path}: {answer.status_code}, not all orders are told")

    with CaptureQueriesContext(connection) as queries:
        ask()
    asked, own = len(queries), time.process_time()
    taken = _median_ms(ask)
    own = (time.process_time() - own) / ROUNDS
    return {"ms": taken, "processor_ms": round(1000 * own, 1), "queries": asked}


def _median_ms(work: Callable[[], object]) -> float:
    taken = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return round(1000 * sorted(taken)[ROUNDS // 2], 1)


def _run(text: str, values: dict[str, object] | None = None) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(text, values if "%(" in text else None)


if __name__ == "__main__":
    main()
