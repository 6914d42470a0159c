"""How many orders of 20 slices a web process accepts, one in each request, and how long a list of
3,000 of them takes in one request that is answered by lines of progress.

`python -m benchmarks.entry [--clients 20] [--seconds 20] [--rate 100]` starts PostgreSQL, Redis and
a web process of its own; prints one JSON document. The clients run on the same machine. Each sends
as fast as it is answered; with a rate they send so many orders a second together, if answered.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from itertools import chain
from pathlib import Path

from benchmarks.kill_switch import ask, served
from benchmarks.load import percentiles, stolen_since, twap

WARM_SECONDS = 3.0
RETRY_AFTER = 1.0  # seconds, as the answer asks for
# Its first slice is due at once and is enqueued; no worker runs.
SIGNAL = twap(slices=20, minutes=600, quantity=2_000)
REBALANCE = [SIGNAL | {"symbol": f"S{number:04}"} for number in range(3_000)]
PATIENCE = 120.0


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--clients", type=int, default=20)
    words.add_argument("--seconds", type=float, default=20.0)
    words.add_argument("--rate", type=float, default=0.0, help="orders a second; 0: no bound")
    asked = words.parse_args()
    with tempfile.TemporaryDirectory(prefix="deepstack-entry-") as folder:
        print(json.dumps(figures(Path(folder), asked.clients, asked.seconds, asked.rate), indent=2))


def figures(folder: Path, clients: int, seconds: float, rate: float = 0.0) -> dict[str, object]:
    pace = clients / rate if rate else 0.0
    with served(folder) as (port, token):
        _post(port, token, clients, WARM_SECONDS)
        load, stolen = os.getloadavg()[0], stolen_since()
        answers = _post(port, token, clients, seconds, pace)
        took = [ms for status, ms in answers if status == 201]
        if not took:
            sys.exit("no order was accepted: the figures would mean nothing")
        return {
            "cores": os.cpu_count(),
            "load_before": round(load, 2),
            "stolen_percent": stolen(),
            "clients": clients,
            "answers": Counter(status for status, _ in answers),
            "orders_per_second": round(len(took) / seconds, 1),
            "ms": percentiles(took),
            "rebalance": _rebalance(port, token),
        }


def _post(
    port: int, token: str, clients: int, seconds: float, pace: float = 0.0
) -> list[tuple[int, float]]:
    """Status and milliseconds of each request. A web process that has more to do than it can
    refuses some with 503."""
    begin = time.monotonic()
    with ThreadPoolExecutor(clients) as pool:
        starts = [begin + pace * number / clients for number in range(clients)]
        seen = pool.map(lambda start: _client(port, token, start, begin + seconds, pace), starts)
        return list(chain.from_iterable(seen))


def _rebalance(port: int, token: str) -> dict[str, object]:
    headers = {
        "Authorization": f"Token {token}",
        "Content-Type": "application/json",
        "Accept": "application/x-ndjson",
    }
    began = time.monotonic()
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    connection.request("POST", "/api/v1/orders/", json.dumps(REBALANCE), headers)
    answer = connection.getresponse()
    lines = 1 if answer.readline() else 0
    first = time.monotonic() - began
    last = b""
    while line := answer.readline():
        last, lines = line, lines + 1
    took = time.monotonic() - began
    connection.close()
    done = json.loads(last)
    if (done["status"], done["new"]) != (201, len(REBALANCE)):
        sys.exit(f"the list was not accepted: {last[:300]!r}")
    return {
        "orders": len(REBALANCE),
        "denied": done["denied"],
        "lines": lines,
        "first_line_s": round(first, 2),
        "accepted_s": round(took, 2),
    }


def _client(
    port: int, token: str, start: float, end: float, pace: float
) -> list[tuple[int, float]]:
    answers: list[tuple[int, float]] = []
    while max(start, time.monotonic()) < end:
        time.sleep(max(start - time.monotonic(), 0.0))
        answers.append(ask(port, "POST", "/api/v1/orders/", SIGNAL, token))
        if answers[-1][0] == 503:
            time.sleep(RETRY_AFTER)
        start += pace
    return answers


if __name__ == "__main__":
    main()
