"""How late requests leave for a broker that takes its time to answer, by the broker's own log.

`python -m benchmarks.slow_broker [--rate 100] [--seconds 60] [--answer-ms 100]` starts servers,
workers, dispatchers and the simulated broker of the chaos run; prints one JSON document.
"""

import argparse
import json
import os
import tempfile
from datetime import timedelta
from pathlib import Path

from benchmarks.load import percentiles, steady, stolen_since
from tests.chaos.ground import Ground, Team, enter
from tests.chaos.venue import wait_until

LEAD_SECONDS = 10.0
PATIENCE = 60.0
# Two cores have no room for more; a send waits for the broker in one of the threads.
TEAM = Team(workers=2, threads=16, dispatchers=1)


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--rate", type=int, default=100, help="slices per second")
    words.add_argument("--seconds", type=int, default=60)
    words.add_argument("--answer-ms", type=float, default=100.0)
    asked = words.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="deepstack-slow-") as folder,
        enter(Path(folder), team=TEAM) as ground,
    ):
        figures = _measure(ground, asked)
    print(json.dumps(figures, indent=2))


def _measure(ground: Ground, asked: argparse.Namespace) -> dict[str, object]:
    _run(ground, "warm", 30, 10, asked.answer_ms)
    load, stolen = os.getloadavg()[0], stolen_since()
    late, filled = _run(ground, "measured", asked.rate, asked.seconds, asked.answer_ms)
    return {
        "cores": os.cpu_count(),
        "load_before": round(load, 2),
        "stolen_percent": stolen(),
        "answer_ms": asked.answer_ms,
        "rate": asked.rate,
        "planned": asked.rate * asked.seconds,
        "sent": len(late),
        "orders_filled": filled,
        "lateness_ms": percentiles(late),
    }


def _run(
    ground: Ground, name: str, rate: int, seconds: int, answer_ms: float
) -> tuple[list[float], int]:
    """Milliseconds from due to the request's arrival at the broker; orders filled."""
    from execution import context
    from execution.entry import acceptance
    from execution.models import Order
    from tests.chaos.audit import planned

    log = ground.folder / f"{name}.log"
    ground.broker.reset(1, log)
    ground.broker.behave(answer_after=answer_ms / 1000, partial=0.0, in_parts=0.0)
    first = context.default().now() + timedelta(seconds=LEAD_SECONDS)
    orders = acceptance.accept_all(steady(rate, seconds, first), context.default())
    due = {each.client_order_id: each.due for each in planned(orders)}
    ours = Order.objects.filter(pk__in=[order.pk for order in orders])
    live = ours.filter(finished_at__isnull=True)
    longest = LEAD_SECONDS + seconds + PATIENCE
    wait_until(lambda: not live.exists(), longest, "every order to end", pause=0.5)
    return _lateness(log, due), ours.filter(status="FILLED").count()


def _lateness(log: Path, due: dict[str, float]) -> list[float]:
    attempts: dict[str, float] = {}
    for line in log.read_text().splitlines():
        event = json.loads(line)
        if event["kind"] == "attempt":
            attempts.setdefault(event["client_order_id"], event["t"] / 1e9)
    return [(at - due[name]) * 1000 for name, at in attempts.items()]


if __name__ == "__main__":
    main()
