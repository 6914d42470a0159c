"""The broker of a run, from the judge's side: how it behaves, and what its own log says.

Importing this needs no Django: a venue tells what environment the service is to be set up with.
"""

import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from tests.stack import Process, Stack

Entry = dict[str, Any]


class Venue(Protocol):
    """`lease`: seconds, longer than a call to this broker takes. `environment` goes to every
    process. `companion`: the command of what the service needs beside its workers, if anything."""

    name: str
    lease: float
    companion: Sequence[str]

    @property
    def environment(self) -> Mapping[str, str]: ...

    def start(self, stack: "Stack") -> None: ...

    def serves(self, companion: "Process") -> bool:
        """Whether the companion does its work by now."""

    def reset(self, seed: int, log: Path) -> None:
        """An empty book that behaves well, and a log of its own from here on."""

    def behave(self, **conduct: float) -> None: ...

    def all_booked(self) -> bool:
        """Whether nothing more would happen by itself, and all that was executed is booked."""

    def entries(self) -> list[Entry]:
        """The log: `attempt`, `accept`, `duplicate`, `execution` and `cancelled`, each with `t`
        (wall, nanoseconds) and its client order id, in the order in which they happened."""

    def excess(self) -> int:
        """Messages beyond what the broker allows."""


@dataclass(slots=True)
class StandIn:
    """The broker of `tests.chaos.broker`, by its admin's door."""

    address: str
    name: str = "stand-in"
    lease: float = 3.0
    companion: Sequence[str] = ()
    log: Path = Path("/dev/null")

    @property
    def environment(self) -> Mapping[str, str]:
        return {"LIVE_BROKER": "chaos", "DEEPSTACK_CHAOS_BROKER": self.address}

    def start(self, stack: "Stack") -> None:
        port = self.address.rpartition(":")[2]
        stack.start("broker", [sys.executable, "-m", "tests.chaos.broker", port, "/dev/null"])
        wait_until(self._answers, 20, "the stand-in broker to answer")

    def serves(self, companion: "Process") -> bool:
        return companion.alive

    def behave(self, **conduct: float) -> None:
        self._ask("POST", "/conduct", conduct)

    def reset(self, seed: int, log: Path) -> None:
        self.log = log
        self._ask("POST", "/reset", {"seed": seed, "log": str(log)})

    def all_booked(self) -> bool:
        from execution.models import Fill

        fills = Fill.objects.values_list("execution_id", "revision", "quantity")
        booked = sorted(list(fill) for fill in fills)
        return bool(self._ask("GET", "/settled")) and self._ask("GET", "/executed") == booked

    def entries(self) -> list[Entry]:
        return read(self.log)

    def excess(self) -> int:
        return 0

    def _answers(self) -> bool:
        try:
            self._ask("GET", "/settled")
        except OSError:
            return False
        return True

    def _ask(self, method: str, path: str, body: object = None) -> Any:
        connection = HTTPConnection(self.address, timeout=10)
        connection.request(method, path, json.dumps(body))
        answer = connection.getresponse()
        return json.loads(answer.read())


def read(log: Path) -> list[Entry]:
    """All whole lines; the last one may still be being written."""
    whole, _, _ = log.read_text().rpartition("\n")
    return [json.loads(line) for line in whole.splitlines()]


def wait_until(
    condition: Callable[[], object], seconds: float, what: str, *, pause: float = 0.02
) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds:g} s for {what}")
        time.sleep(pause)
