"""The peers of Alpaca and of TWS as the broker of a run: real client libraries, real protocols."""

import json
import random
import signal
import socket
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import Request, urlopen

from deepstack import processes
from tests.brokers.peers.tws_hand import ACCOUNT, TwsHand
from tests.chaos.venue import Entry, read, wait_until

if TYPE_CHECKING:
    from tests.stack import Process, Stack

MOST_PLACEMENTS = 1000  # of one trial, for which the misfortunes are drawn beforehand
CLIENT_ID = 17
PATIENCE = 30.0  # seconds


class Peer:
    """What both have in common. A trial's log is the peer's own, and read again each time."""

    name: str
    lease = 6.0
    companion: Sequence[str] = processes.live_broker()

    def __init__(self) -> None:
        self.port = free_port()
        self._log = Path("/dev/null")
        self._seed = 0

    def entries(self) -> list[Entry]:
        raise NotImplementedError

    def count(self, kind: str) -> int:
        return sum(entry["kind"] == kind for entry in self.entries())

    def all_booked(self) -> bool:
        from execution.models import Fill
        from tests.chaos.audit import accounts

        book = accounts(self.entries())
        booked: Counter[str] = Counter()
        for order_id, quantity in Fill.objects.values_list("slice__client_order_id", "quantity"):
            booked[order_id] += quantity
        ended = all(account.closed for account in book.values() if account.accepted)
        return ended and booked == Counter({key: book[key].filled for key in book})


class Alpaca(Peer):
    """Orders fill in one or two executions within a second, and one in ten never does."""

    name = "alpaca"

    def __init__(self) -> None:
        super().__init__()
        self._url = f"http://127.0.0.1:{self.port}"
        self._per_minute = 0
        self._process: Process | None = None

    @property
    def environment(self) -> Mapping[str, str]:
        return {
            "LIVE_BROKER": self.name,
            "ALPACA_BASE_URL": self._url,
            "ALPACA_DATA_URL": self._url,
            "ALPACA_API_KEY": "test-key",
            "ALPACA_SECRET_KEY": "test-secret",
            "ALPACA_REQUESTS_PER_MINUTE": "60000",
            "ALPACA_CONNECT_SECONDS": "1",
            "ALPACA_READ_SECONDS": "2",
        }

    def start(self, stack: "Stack") -> None:
        command = [sys.executable, "-m", "tests.brokers.peers.alpaca", "--port", str(self.port)]
        self._process = stack.start("alpaca", command)
        wait_until(lambda: listens(self.port), PATIENCE, "the Alpaca peer to listen")

    def serves(self, companion: "Process") -> bool:
        from execution.models import Heartbeat

        beats = Heartbeat.objects.filter(kind=Heartbeat.Kind.LISTENER, detail__state="listening")
        return beats.filter(process=f"{socket.gethostname()}:{companion.pid}").exists()

    def reset(self, seed: int, log: Path) -> None:
        self._log, self._seed = log, seed
        self.tell("reset", log=str(log))
        self.behave()

    def behave(self, weather: float = 0.0, per_minute: float = 0, **switches: float) -> None:
        self._per_minute = int(per_minute)
        self.tell("weather", seed=self._seed, share=weather)
        self.tell("set", per_minute=self._per_minute, **switches)

    def tell_again(self, rng: random.Random) -> None:
        """Old news by the stream, which then breaks, and old executions among the activities."""
        accepted = [each["client_order_id"] for each in self.entries() if each["kind"] == "accept"]
        for order_id in rng.sample(accepted, min(len(accepted), 10)):
            self.tell("repeat_activity", client_order_id=order_id)
        self.tell("repeat_events")
        self.tell("kick")

    def entries(self) -> list[Entry]:
        found: list[Entry] = []
        sizes: dict[str, int] = {}
        accepted: set[str] = set()
        for line in read(self._log):
            at = int(line["at"] * 1e9)
            if _is_placement(line):
                order_id = line["body"]["client_order_id"]
                sizes[order_id] = int(line["body"]["qty"])
                found.append(_entry(at, "attempt", order_id))
                if order_id in accepted:
                    found.append(_entry(at, "duplicate", order_id))
            elif line["kind"] == "accepted":
                order_id = line["client_order_id"]
                accepted.add(order_id)
                found.append(_entry(at, "accept", order_id, quantity=sizes[order_id]))
            elif line["kind"] == "event":
                found += _told(at, line)
        return found

    def excess(self) -> int:
        """Requests in any minute beyond the budget, where a trial has set one."""
        if not self._per_minute:
            return 0
        moments = [line["at"] for line in read(self._log) if line["kind"] == "attempt"]
        return max(most_within(60.0, moments) - self._per_minute, 0)

    def leave(self) -> None:
        """It keeps its connections and answers nothing."""
        assert self._process is not None
        self._process.signal(signal.SIGSTOP)

    def come_back(self) -> None:
        assert self._process is not None
        self._process.signal(signal.SIGCONT)

    def tell(self, command: str, **values: object) -> object:
        request = Request(f"{self._url}/_peer/{command}", json.dumps(values).encode())  # noqa: S310
        with urlopen(request, timeout=10) as answer:  # noqa: S310
            return json.load(answer)["answer"]


class Tws(Peer):
    """Orders fill in two executions, and one in ten never does."""

    name = "ibkr"
    hand: TwsHand

    def __init__(self) -> None:
        super().__init__()
        self._control = free_port()
        self._process: Process | None = None

    @property
    def environment(self) -> Mapping[str, str]:
        return {
            "LIVE_BROKER": self.name,
            "IBKR_HOST": "127.0.0.1",
            "IBKR_PORT": str(self.port),
            "IBKR_CLIENT_ID": str(CLIENT_ID),
            "IBKR__PICK_UP_SECONDS": "2",
            "IBKR__ANSWER_SECONDS": "3",
        }

    def start(self, stack: "Stack") -> None:
        self._stack = stack
        self.reset(0, stack.folder / "tws.log")

    def serves(self, companion: "Process") -> bool:
        from execution.models import IbkrGateway

        ready = IbkrGateway.objects.filter(state=IbkrGateway.State.READY)
        return ready.filter(process=f"{socket.gethostname()}:{companion.pid}").exists()

    def reset(self, seed: int, log: Path) -> None:
        """Another TWS at the same address; the gateway finds it by itself."""
        if self._process is not None:
            self.hand.close()
            self._process.kill()
        self._log, self._seed = log, seed
        command = [sys.executable, "-m", "tests.brokers.peers.tws", str(log), "--accounts", ACCOUNT]
        ports = ["--port", str(self.port), "--control", str(self._control)]
        self._process = self._stack.start(f"tws-{log.stem}", [*command, *ports])
        wait_until(lambda: listens(self._control), PATIENCE, "the TWS peer to listen")
        self.hand = TwsHand(self.port, self._control, log)
        self.behave()

    def behave(
        self, idle: float = 0.1, fill_seconds: float = 0.3, repeat: float = 0, **shares: float
    ) -> None:
        """`shares` of the placements meet a misfortune that the peer knows by that name."""
        rng = random.Random(self._seed)
        self.hand.do("reset")
        self.hand.do("set", fill_seconds=fill_seconds, fill_parts=2, repeat_status=bool(repeat))
        for _ in range(MOST_PLACEMENTS if idle or shares else 0):
            fates = {name: True for name, share in shares.items() if rng.random() < share}
            self.hand.do("once", idle=rng.random() < idle, **fates)

    def tell_again(self, rng: random.Random) -> None:
        """Old executions, as if they were new."""
        filled = [order["ref"] for order in self.hand.do("orders") if order["filled"]]
        for ref in rng.sample(filled, min(len(filled), 10)):
            self.hand.do("repeat", ref=ref)

    def leave(self) -> None:
        self.hand.do("down")

    def come_back(self) -> None:
        self.hand.do("up")

    def entries(self) -> list[Entry]:
        # The peer's stamps are monotonic, and that clock is one for all processes.
        began = time.time() - time.monotonic()
        found: list[Entry] = []
        accepted: set[str] = set()
        for line in read(self._log):
            at = int((line["at"] + began) * 1e9)
            if line["way"] == "in" and line["fields"][0] == "3":
                ref = line["fields"][26]
                found.append(_entry(at, "attempt", ref))
                if ref in accepted:
                    found.append(_entry(at, "duplicate", ref))
            elif line["way"] == "book":
                accepted.add(line["ref"])
                found.append(_noted(at, line))
        return found

    def excess(self) -> int:
        """How often TWS complained of more than 50 messages in a second."""
        lines = (line for line in read(self._log) if line["way"] == "out")
        return sum(line["fields"][0] == "4" and line["fields"][3] == "100" for line in lines)


def _is_placement(line: Mapping[str, Any]) -> bool:
    return line["kind"] == "attempt" and (line["method"], line["path"]) == ("POST", "/v2/orders")


def _told(at: int, line: Mapping[str, Any]) -> list[Entry]:
    match line["event"]:
        case "fill" | "partial_fill":
            facts = {"execution_id": line["execution_id"], "quantity": int(line["qty"])}
            return [_entry(at, "execution", line["client_order_id"], revision=0, **facts)]
        case "canceled" | "expired" | "rejected":
            return [_entry(at, "cancelled", line["client_order_id"])]
    return []


def _noted(at: int, line: Mapping[str, Any]) -> Entry:
    match line["kind"]:
        case "execution":
            stem, _, revision = line["execution_id"].rpartition(".")
            facts = {"execution_id": stem, "revision": int(revision)}
            return _entry(at, "execution", line["ref"], quantity=line["quantity"], **facts)
        case "accept":
            return _entry(at, "accept", line["ref"], quantity=line["quantity"])
    return _entry(at, "cancelled", line["ref"])


def _entry(at: int, kind: str, client_order_id: str, **facts: object) -> Entry:
    return {"t": at, "kind": kind, "client_order_id": client_order_id, **facts}


def most_within(seconds: float, moments: Iterable[float]) -> int:
    """The most moments in any window so long."""
    ranked = sorted(moments)
    most = first = 0
    for last, moment in enumerate(ranked):
        while ranked[first] <= moment - seconds:
            first += 1
        most = max(most, last - first + 1)
    return most


def listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
