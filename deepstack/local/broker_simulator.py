"""A broker of our own for a demonstration: the live path before there is any key or account.

The simulators are the peers of the tests: each is a process that speaks its broker's own protocol,
and notes every message in a log.
"""

import json
import os
import select
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from deepstack.config import ROOT
from deepstack.local.fork_server import Forked

START_SECONDS = 20.0
FILL_MS = "150"  # from the acceptance of an order to its (first) execution
ACCOUNT = "DU1234567"
CLIENT_ID = "17"


class SimulatorError(RuntimeError):
    """The simulator does not run; the text says why."""


@dataclass(frozen=True, slots=True)
class Simulator:
    """A running simulator. `environment` is for every process that is to trade with it."""

    name: str
    address: str
    log: Path
    environment: Mapping[str, str]

    @property
    def disclaimer(self) -> str:
        return f"""
THIS IS NOT {self.name.upper()} BUT A SIMULATOR OF IT, a process of this project at {self.address}.
It speaks the broker's protocol and fills what it is sent. No key, no account and no money is
involved, and the prices are simulated. All else is what trades live: the client library, the
adapter, and the process that listens to the broker.
"""


NAMES = {"alpaca": "Alpaca", "ibkr": "TWS of Interactive Brokers"}

# Live trading does not start without limits; the simulator fills at the limit of an order, which
# without a tolerance is the far touch.
_COMMON = {
    "TRADING_MODE": "live",
    "LIVE_TRADING_CONFIRMED": "true",
    "LIVE_BROKER_IS_SIMULATOR": "true",
    "ACCOUNT": "default",
    "MARKET__SOURCE": "simulated",
    "EXECUTION__ROUTING__URGENT_TOLERANCE_BPS": "0",
    "EXECUTION__ROUTING__CHILD_TOLERANCE_BPS": "0",
    "LIMITS__MAX_ORDER_QUANTITY": "10000",
    "LIMITS__MAX_ORDER_NOTIONAL": "1000000",
    "LIMITS__MAX_POSITION": "10000",
    "LIMITS__MAX_MESSAGES_PER_MINUTE": "1000",
    "LIMITS__MAX_DAILY_LOSS": "50000",
}


@contextmanager
def running(broker: str, folder: Path) -> Iterator[Simulator]:
    """The simulator of `alpaca` or `ibkr` while the block lasts, on a port that was free."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / f"{broker}.jsonl"
    errors = folder / f"{broker}.err"
    reading, writing = os.pipe()
    with errors.open("wb") as output, os.fdopen(writing, "wb"):
        command = [sys.executable, "-m", *_module(broker, log)]
        process = Forked(command, os.environ, ROOT, writing, output.fileno())
    try:
        with os.fdopen(reading, "rb") as said:
            port = _port(said, errors)
        yield Simulator(
            name=NAMES[broker],
            address=f"127.0.0.1:{port}",
            log=log,
            environment={**_COMMON, "LIVE_BROKER": broker, **_addresses(broker, port)},
        )
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def _module(broker: str, log: Path) -> Sequence[str]:
    if broker == "alpaca":
        options = ["--port", "0", "--log", str(log)]
        return ["tests.brokers.peers.alpaca", *options, "--auto-fill-ms", FILL_MS]
    options = [str(log), "--accounts", ACCOUNT, "--auto-fill-ms", FILL_MS, "--fill-parts", "2"]
    return ["tests.brokers.peers.tws", *options]


def _addresses(broker: str, port: int) -> Mapping[str, str]:
    """Whatever keys the user's own configuration holds, the simulator is not shown them."""
    if broker == "alpaca":
        url = f"http://127.0.0.1:{port}"
        return {
            "ALPACA_BASE_URL": url,
            "ALPACA_DATA_URL": url,
            "ALPACA_API_KEY": "test-key",
            "ALPACA_SECRET_KEY": "test-secret",
            # The orders of an hour within a minute: the default budget would hold the last ones up.
            "ALPACA_REQUESTS_PER_MINUTE": "1000",
        }
    return {"IBKR_HOST": "127.0.0.1", "IBKR_PORT": str(port), "IBKR_CLIENT_ID": CLIENT_ID}


def _port(said: IO[bytes], errors: Path) -> int:
    """Both simulators print it in their first line."""
    ready, _, _ = select.select([said], [], [], START_SECONDS)
    line = said.readline() if ready else b""
    try:
        return int(json.loads(line)["port"])
    except (ValueError, KeyError, TypeError):
        raise SimulatorError(
            f"the simulator of the broker did not start, see {errors}; it is part of the tests,"
            " which a checkout of the repository has and an image has not"
        ) from None
