"""The Alpaca adapter with the real client library, and the peer in a process of its own."""

import json
import signal
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from urllib.request import Request, urlopen

from django.conf import settings as django_settings
from pydantic import SecretStr
from redis import Redis
from typing_extensions import override

from deepstack.config import ROOT, Config
from deepstack.local.child_cleanup import parent_pipe
from execution.broker.alpaca import AlpacaBroker
from execution.broker.base import Broker
from execution.domain.lifecycle import SliceStatus
from tests.brokers.rig import Can, Refusal, Rig
from tests.brokers.simulator import LIVE
from tests.stack import free_port, status_of, wait_for

WORDS = {
    SliceStatus.CANCELLED: "canceled",
    SliceStatus.EXPIRED: "expired",
    SliceStatus.REJECTED: "rejected",
}


class Peer:
    """The peer's process. `tell` runs a command of its admin door."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / "attempts.jsonl"
        command = [sys.executable, "-m", "tests.brokers.peers.alpaca"]
        self.process = subprocess.Popen(
            [*command, "--port", str(self.port), "--log", str(self.log)],
            cwd=ROOT,
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            pass_fds=parent_pipe(),
        )
        wait_for(lambda: status_of(f"{self.url}/v2/clock") == 401, 15, "the peer to answer")

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def tell(self, command: str, **values: object) -> object:
        request = Request(f"{self.url}/_peer/{command}", json.dumps(values).encode())  # noqa: S310
        with urlopen(request, timeout=10) as answer:  # noqa: S310
            return json.load(answer)["answer"]

    def entries(self, kind: str, **values: object) -> list[dict[str, object]]:
        """Lines of the log since the last reset, oldest first."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines()]
        begun = max(n for n, line in enumerate(lines) if line["kind"] == "reset")
        return [
            line
            for line in lines[begun:]
            if line["kind"] == kind and all(line.get(name) == values[name] for name in values)
        ]

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def freeze(self) -> None:
        """It keeps its connections and does nothing more, as a machine that hangs would."""
        self.process.send_signal(signal.SIGSTOP)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


def settings(peer_url: str, **more: object) -> Config:
    values: dict[str, object] = {
        "alpaca_base_url": peer_url,
        "alpaca_data_url": peer_url,
        "alpaca_api_key": "test-key",
        "alpaca_secret_key": SecretStr("test-secret"),
        "alpaca_requests_per_minute": 60_000,
        "alpaca_connect_seconds": 1.0,
        "alpaca_read_seconds": 1.5,
    }
    return Config(**values | more)  # type: ignore[arg-type]


def environment(peer_url: str, **more: str) -> dict[str, str]:
    """For a process of the service that trades with the peer."""
    return {
        "TRADING_MODE": "live",
        "LIVE_BROKER": "alpaca",
        **LIVE,
        "ALPACA_BASE_URL": peer_url,
        "ALPACA_DATA_URL": peer_url,
        "ALPACA_API_KEY": "test-key",
        "ALPACA_SECRET_KEY": "test-secret",
        "ALPACA_REQUESTS_PER_MINUTE": "60000",
        **more,
    }


def forget_redis() -> None:
    """What the workers remember together, the message budget included."""
    with Redis.from_url(django_settings.REDIS_URL) as redis:
        for key in redis.scan_iter("alpaca*:*"):
            redis.delete(key)


class AlpacaRig(Rig):
    """`spent`: the peer was frozen or killed and serves no further test."""

    lacks: Mapping[Can, str] = {Can.CORRECT: "Alpaca reports no corrections of executions"}
    refusals = (
        Refusal("NOT_TRADABLE", ticket={"symbol": "NOSUCH"}),
        Refusal("NOT_TRADABLE", ticket={"symbol": "FROZEN"}),
        Refusal("INSUFFICIENT_BUYING_POWER", ticket={"quantity": 1_000_000}),
        Refusal(
            "WASH_TRADE",
            lambda rig: rig.foreign_order("MSFT", "SELL", 5),
            ticket={"symbol": "MSFT"},
        ),
        Refusal(
            "INSUFFICIENT_SHARES",
            lambda rig: _peer(rig).tell("set", shorting=False),
            ticket={"side": "SELL"},
        ),
        Refusal("INVALID_ORDER", ticket={"quantity": 0}),
        Refusal("WRONG_ACCOUNT", ticket={"account": "somebody"}),
        Refusal("RATE_LIMITED", lambda rig: rig.limit_rate(), transient=True),
    )

    def __init__(self, peer: Peer, **config: object) -> None:
        self.peer = peer
        peer.tell("reset")
        forget_redis()
        self.spent = False
        self.config = settings(peer.url, **config)
        self.broker: AlpacaBroker = AlpacaBroker(self.config)

    @override
    def now(self) -> datetime:
        return datetime.now(UTC)

    @override
    def another(self) -> Broker:
        return AlpacaBroker(self.config)

    @override
    def fill(self, client_order_id: str, quantity: int, price: Decimal) -> None:
        self.peer.tell("fill", client_order_id=client_order_id, quantity=quantity, price=str(price))

    @override
    def accepted(self, client_order_id: str) -> int:
        return len(self.peer.entries("accepted", client_order_id=client_order_id))

    @override
    def fill_late(self, client_order_id: str, quantity: int, price: Decimal) -> None:
        self.fill(client_order_id, quantity, price)

    @override
    def repeat_executions(self, client_order_id: str) -> None:
        self.peer.tell("repeat_activity", client_order_id=client_order_id)

    @override
    def hold_cancels(self) -> None:
        self.peer.tell("set", hold_cancels=True)

    @override
    def end(self, client_order_id: str, status: SliceStatus) -> None:
        self.peer.tell("end", client_order_id=client_order_id, status=WORDS[status])

    @override
    def lose_answer(self) -> None:
        self.peer.tell("fault", do=True, then="close")

    @override
    def lose_request(self) -> None:
        self.peer.tell("fault", then="close")

    @override
    def hang(self) -> None:
        self.spent = True
        self.peer.freeze()

    @override
    def break_connection(self) -> None:
        self.spent = True
        self.peer.kill()

    @override
    def limit_rate(self) -> None:
        self.peer.tell(
            "fault",
            status=429,
            headers={"Retry-After": "1"},
            body={"code": 42910000, "message": "too many requests."},
        )

    @override
    def set_clock(self, skew: timedelta) -> None:
        self.peer.tell("set", skew=skew.total_seconds())

    @override
    def set_account(
        self, *, cash: Decimal, buying_power: Decimal, positions: Mapping[str, int]
    ) -> None:
        self.peer.tell(
            "set", cash=str(cash), buying_power=str(buying_power), positions=dict(positions)
        )

    @override
    def foreign_order(self, symbol: str, side: str, quantity: int) -> None:
        self.peer.tell("place", symbol=symbol, side=side.lower(), qty=str(quantity))


def _peer(rig: Rig) -> Peer:
    assert isinstance(rig, AlpacaRig)
    return rig.peer
