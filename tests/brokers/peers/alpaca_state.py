"""What the Alpaca peer remembers, and what it is told to get wrong."""

import json
import random
import time
from dataclasses import dataclass, field
from typing import Any, Protocol, TextIO

from tests.brokers.peers.alpaca_book import CLOCK, Book, Order
from tests.brokers.peers.alpaca_market import Market


class Listener(Protocol):
    listens: bool

    def tell(self, text: str) -> None: ...

    def close(self, code: int | None = None, reason: str | None = None) -> None: ...


class DataListener(Protocol):
    subscribed: bool

    def tell(self, message: dict[str, Any]) -> None: ...

    def close(self, code: int | None = None, reason: str | None = None) -> None: ...


@dataclass
class Fault:
    """What happens to a matching request instead of its ordinary answer.

    `do`: the request is carried out first. `then`: "answer" with `status`, `body` (an object is
    merged over the ordinary one, a text replaces it) and `headers`; "close" the connection without
    an answer; "hang" without one; "go on" as if nothing were, after `seconds`.
    """

    method: str = "POST"
    path: str = "/v2/orders"
    do: bool = False
    then: str = "answer"
    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    times: int = 1  # negative: for ever

    def hits(self, method: str, path: str) -> bool:
        return self.times != 0 and method == self.method and path.startswith(self.path)


@dataclass
class Weather:
    """Chance faults, the same for the same seed and order of requests. Orders fill by themselves
    in one or two executions within a second, and one in ten never does."""

    seed: int
    share: float  # of the requests that meet a fault
    rng: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)

    def fault(self, method: str) -> Fault | None:
        if self.rng.random() >= self.share:
            return None
        tired = {"code": 42910000, "message": "too many requests."}
        kinds = [
            Fault(do=True, then="close"),
            Fault(do=False, then="close"),
            Fault(do=True, status=504, body="<html>"),
            Fault(do=True, status=200, body='{"id": "cut o'),
            Fault(do=False, status=500, body={"message": "internal server error"}),
            Fault(do=False, status=429, body=tired, headers={"Retry-After": "1"}),
            Fault(do=True, then="answer", body={"status": "sleeping"}),
            Fault(do=False, then="go on", seconds=0.4),
        ]
        # Alpaca answers a cancel with an empty body; half of one says nothing.
        return self.rng.choice(kinds if method == "POST" else kinds[:3] + kinds[4:6])

    def fills(self, quantity: int) -> list[tuple[float, int]]:
        """(seconds from now, shares)"""
        if self.rng.random() < 0.1:
            return []
        first = self.rng.randint(1, quantity)
        plan = [(self.rng.uniform(0.0, 0.5), first), (self.rng.uniform(0.5, 1.0), quantity - first)]
        return [(after, shares) for after, shares in plan if shares]


@dataclass
class State:
    log: TextIO
    book: Book = field(init=False)
    market: Market = field(init=False)
    faults: list[Fault] = field(default_factory=list)
    streams: set[Listener] = field(default_factory=set)
    data_streams: set[DataListener] = field(default_factory=set)
    mute: bool = False
    dateless: bool = False  # answers have no Date header
    repeat: int = 1  # how often each event is told
    per_minute: int = 0  # 0: no limit
    auto_fill: float | None = None  # seconds from the acceptance to the fill
    weather: Weather | None = None
    recent: list[float] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.book = Book(self.tell)
        self.market = Market()
        self.faults.clear()
        self.mute, self.repeat, self.per_minute, self.auto_fill = False, 1, 0, None
        self.weather, self.dateless = None, False
        self.recent.clear()
        self.told.clear()
        self.write(kind="reset")

    def write(self, **entry: object) -> None:
        self.log.write(json.dumps({"at": time.time(), **entry}, default=str) + "\n")
        self.log.flush()

    def tell(self, event: str, order: Order, extra: dict[str, object]) -> None:
        at = self.book.now().strftime(CLOCK)
        data = {"event": event, "timestamp": at, "order": order.as_json(), **extra}
        self.write(kind="event", event=event, client_order_id=order.client_order_id, **extra)
        text = json.dumps({"stream": "trade_updates", "data": data})
        self.told.append(text)
        if not self.mute:
            for _ in range(self.repeat):
                self.send(text)

    def send(self, text: str) -> None:
        for stream in [each for each in self.streams if each.listens]:
            stream.tell(text)

    def over_limit(self) -> float:
        """Seconds until another request is welcome; 0 when it is now."""
        now = time.time()
        self.recent = [at for at in self.recent if at > now - 60]
        if self.per_minute and len(self.recent) >= self.per_minute:
            return self.recent[0] + 60 - now
        self.recent.append(now)
        return 0.0
