"""Steps of the work on an order, told once they are over, for OpenTelemetry.

The steps of one slice run in several threads and processes, and one statement serves many slices:
no "current span" could follow them. Each step therefore names its trace, its parent and its times.
"""

import atexit
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from threading import Lock
from time import time_ns
from typing import TYPE_CHECKING, Literal, ParamSpec

import structlog

from deepstack.config import Config

if TYPE_CHECKING:
    from deepstack.observability.otlp import Spans

log = structlog.get_logger(__name__)

P = ParamSpec("P")
Kind = Literal["INTERNAL", "PRODUCER", "CONSUMER", "CLIENT"]


@dataclass(frozen=True, slots=True)
class Step:
    """`began` and `ended` in nanoseconds of real time. `span`: its id, where other steps have it
    for a parent. `link`: a W3C traceparent that it was caused by."""

    trace: int
    name: str
    began: int
    ended: int
    parent: int | None = None
    span: int | None = None
    kind: Kind = "INTERNAL"
    attributes: Mapping[str, str | int] = field(default_factory=dict)
    failed: bool = False
    link: str = ""


class Tracing:
    """Of this process. `on` is all that the path of a slice asks while nothing is traced."""

    def __init__(self) -> None:
        self.on = False
        self._process = "command"
        self._config: Config | None = None
        self._spans: Spans | None = None
        self._making = Lock()

    def begin(self, config: Config) -> None:
        """Nothing is imported and no thread starts before the first step, or `warm`: this process
        may be about to fork."""
        self._config, self.on = config, True

    def warm(self, process: str) -> None:
        """Load what the first step would otherwise have to, which takes a third of a second.
        `process` is what this one is called in its spans."""
        self._process = process
        if self.on:
            harmless(self._ready)()

    def now(self) -> int:
        """Nanoseconds of real time; 0 while nothing is traced."""
        return time_ns() if self.on else 0

    def tell(self, *steps: Step) -> None:
        """Never waits; within what is `harmless`."""
        spans = self._ready()
        for step in steps:
            spans.tell(step)

    def end(self) -> None:
        """What is queued is sent, for seconds at most, and nothing is traced any more."""
        self.on, spans, self._spans = False, self._spans, None
        if spans is not None:
            spans.end()

    def end_by_failure(self) -> None:
        self.on = False
        log.exception("this process goes on without traces")

    def _ready(self) -> "Spans":
        if self._spans is not None:
            return self._spans
        from deepstack.observability.otlp import Spans

        with self._making:
            if self._spans is None:
                if self._config is None:
                    raise RuntimeError("tracing has not begun")
                self._spans = Spans(self._config, self._process)
                atexit.register(self.end)
            return self._spans


tracing = Tracing()


def harmless(tell: Callable[P, object]) -> Callable[P, None]:
    """Not called while nothing is traced. What it raises ends the traces of this process, and never
    the work that it tells of."""

    @wraps(tell)
    def told(*args: P.args, **kwargs: P.kwargs) -> None:
        if not tracing.on:
            return
        try:
            tell(*args, **kwargs)
        except Exception:  # noqa: BLE001  logged by what follows
            tracing.end_by_failure()

    return told
