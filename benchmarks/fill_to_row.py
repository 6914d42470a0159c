"""How soon an execution at the broker is a committed fill here, by the log of the broker's peer.

`python -m benchmarks.fill_to_row --broker ibkr|alpaca [--rate 10|3] [--seconds 30]` runs the whole
service before the peer; prints one JSON document. The figures hold the time that the peer takes
to tell, and that between two looks at the rows: the truth is a little better.
"""

import argparse
import json
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Collection
from datetime import timedelta
from pathlib import Path

from benchmarks.load import percentiles, steady
from tests.chaos.ground import Ground, enter

LEAD_SECONDS = 5.0
WARM_SECONDS = 5.0  # of the run are left out
PATIENCE = 60.0
RATES = {"ibkr": 10, "alpaca": 3}  # Alpaca takes 200 messages a minute
LOOK_SECONDS = 0.003
SLACK = 20  # rows may become visible in another order than that of their keys


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--broker", choices=list(RATES), required=True)
    words.add_argument("--rate", type=int, help="slices per second, in two fills each")
    words.add_argument("--seconds", type=int, default=30)
    asked = words.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="deepstack-fills-") as folder,
        enter(Path(folder), asked.broker) as ground,
    ):
        load = os.getloadavg()[0]
        rate = asked.rate or RATES[asked.broker]
        late = _measure(ground, rate, asked.seconds)
    figures = {"broker": asked.broker, "cores": os.cpu_count(), "load_before": round(load, 2)}
    figures |= {"rate": rate, "fills": len(late), "fill_to_row_ms": percentiles(late)}
    print(json.dumps(figures, indent=2))


def _measure(ground: Ground, rate: int, seconds: int) -> list[float]:
    """Milliseconds from each execution at the peer until its row is there."""
    from execution import context
    from execution.entry import acceptance

    ground.broker.reset(1, ground.folder / "fills.log")
    ground.mend()
    first = context.default().now() + timedelta(seconds=LEAD_SECONDS)
    orders = acceptance.accept_all(steady(rate, seconds, first), context.default())
    booked = _booked([order.pk for order in orders], LEAD_SECONDS + seconds + PATIENCE)
    happened: dict[str, list[float]] = defaultdict(list)
    for entry in ground.broker.entries():
        if entry["kind"] == "execution":
            happened[entry["client_order_id"]].append(entry["t"] / 1e9)
    warm = first.timestamp() + WARM_SECONDS
    return [
        (seen - at) * 1000
        for child, moments in booked.items()
        for at, seen in zip(happened[child], moments, strict=True)
        if at > warm
    ]


def _booked(orders: Collection[int], patience: float) -> dict[str, list[float]]:
    """Client order id: when each of its fills was first seen, until all orders have ended."""
    from execution.models import Fill, Order

    live = Order.objects.filter(pk__in=orders, finished_at__isnull=True)
    booked: dict[str, list[float]] = defaultdict(list)
    known, deadline, ended = set[int](), time.monotonic() + patience, False
    while not ended and time.monotonic() < deadline:
        ended = not live.exists()
        rows = Fill.objects.filter(pk__gt=max(known, default=0) - SLACK).order_by("pk")
        for key, child in rows.values_list("pk", "slice__client_order_id"):
            if key not in known:
                known.add(key)
                booked[child].append(time.time())
        time.sleep(LOOK_SECONDS)
    return booked


if __name__ == "__main__":
    main()
