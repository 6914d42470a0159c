"""How soon an order's event reaches those who listen to the stream.

`python -m benchmarks.stream [--listeners 200] [--rate 5] [--seconds 20]` starts a service of its
own on the simulated market, has so many clients listen to every order, works orders of so many
slices a second, and prints one JSON document: seconds from the moment at which an event was
written, before its commit, until a client had it, over all clients and events. The clients run on
the same machine, in this process.
"""

import argparse
import asyncio
import json
import os
import re
import sys
import time
from collections.abc import Sequence
from datetime import datetime
from urllib.parse import urlsplit

import psutil

from benchmarks.load import percentiles, stolen_since
from benchmarks.screenshots import service
from deepstack.local.stack import Stack

PATH = "/api/v1/orders/stream"
RECORDED = re.compile(rb'^data: .*"recorded_at": "([^"]+)"')
ORDER = (
    "BUY {quantity} AAPL --algorithm TWAP --slices {slices} --window-minutes {minutes} --no-wait"
)
LEAST = 0.1  # minutes of a window
AFTER = 5.0  # seconds for what is still on its way
TARGET = 1.0  # seconds


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--listeners", type=int, default=200)
    words.add_argument("--rate", type=int, default=5, help="slices a second")
    words.add_argument("--seconds", type=int, default=20)
    asked = words.parse_args()
    stolen = stolen_since()
    with service() as (stack, _):
        token = stack.manage("drf_create_token", "admin").split()[2]
        before = _processor_seconds()
        delays = asyncio.run(_heard(stack, token, asked.listeners, asked.rate, asked.seconds))
        spent = _processor_seconds() - before
    told = {
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
        "stolen_percent": stolen(),
        "listeners": asked.listeners,
        "events": len(delays) // max(asked.listeners, 1),
        "messages": len(delays),
        "processor_microseconds_a_message": round(1e6 * spent / max(len(delays), 1), 1),
        "seconds_to_listener": percentiles(delays) if delays else None,
        "within_a_second_percent": _share_within(delays),
    }
    json.dump(told, sys.stdout, indent=2)
    print()


def _processor_seconds() -> float:
    """Of the stream process since it began."""
    for each in psutil.Process().children(recursive=True):
        if "deepstack.asgi:application" in " ".join(each.cmdline()):
            used = each.cpu_times()
            return used.user + used.system
    raise SystemExit("no stream process runs")


def _share_within(delays: Sequence[float]) -> float | None:
    within = sum(each <= TARGET for each in delays)
    return round(100 * within / len(delays), 2) if delays else None


async def _heard(
    stack: Stack, token: str, listeners: int, rate: int, seconds: int
) -> Sequence[float]:
    """The delays of all messages, in seconds."""
    delays: list[float] = []
    ready = asyncio.Barrier(listeners + 1)
    listening = [
        asyncio.create_task(_listen(stack.stream, token, delays, ready)) for _ in range(listeners)
    ]
    await ready.wait()
    minutes = max(seconds / 60, LEAST)
    slices = rate * seconds
    order = ORDER.format(quantity=10 * slices, slices=slices, minutes=minutes)
    await asyncio.to_thread(stack.manage, "order", *order.split())
    await asyncio.sleep(seconds + AFTER)
    for each in listening:
        each.cancel()
    await asyncio.gather(*listening, return_exceptions=True)
    return delays


async def _listen(stream: str, token: str, delays: list[float], ready: asyncio.Barrier) -> None:
    address = urlsplit(stream)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    head = f"GET {PATH} HTTP/1.1\r\nHost: {address.netloc}\r\nAuthorization: Token {token}\r\n\r\n"
    writer.write(head.encode())
    status = await reader.readline()
    if b" 200 " not in status:
        raise SystemExit(f"the stream answers {status.decode().strip()}")
    while not (await reader.readline()).startswith(b"retry:"):
        pass
    await ready.wait()
    while line := await reader.readline():
        if found := RECORDED.match(line):
            written = datetime.fromisoformat(found[1].decode()).timestamp()
            delays.append(time.time() - written)


if __name__ == "__main__":
    main()
