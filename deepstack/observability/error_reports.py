"""Errors of every process, reported to Sentry where SENTRY_DSN names one.

An error is whatever the log has as one, and what nobody caught. Nothing is instrumented beyond
that: no statement of a slice takes longer, no header joins our requests to brokers, and a task's
message stays as it is. Imported where it is on.
"""

import logging
import sys
from collections import Counter
from collections.abc import Mapping
from time import monotonic
from typing import TYPE_CHECKING, Any

import sentry_sdk
from django.http import HttpRequest
from sentry_sdk.integrations.atexit import AtexitIntegration
from sentry_sdk.integrations.dedupe import DedupeIntegration
from sentry_sdk.integrations.excepthook import ExcepthookIntegration
from sentry_sdk.integrations.threading import ThreadingIntegration
from sentry_sdk.utils import event_from_exception
from typing_extensions import override

from deepstack.config import Config
from deepstack.observability.masking import Mask
from deepstack.version import VERSION

if TYPE_CHECKING:
    from sentry_sdk.types import Event, Hint

END_SECONDS = 2.0  # for what is still queued when the process ends
# Found again in the order's audit trail, and searched for in Sentry.
TAGS = ("order_id", "slice_id", "symbol", "account", "stage")
MOST_ALIKE = 10  # a minute and process
_KNOWN = ("event", "exc_info", "exception", "level", "logger", "timestamp")
_REQUESTS = "django.request"
# Those of reporting itself; and alerts, which are about trading and have channels of their own.
_NOT_REPORTED = ("sentry_sdk", "urllib3", "opentelemetry", "deepstack.alerts")


def begin(config: Config) -> None:
    """No thread starts before the first report: this process may be about to fork. A strategy that
    imports this package and reports its own errors keeps its client."""
    if sentry_sdk.is_initialized():
        return
    sentry_sdk.init(
        dsn=config.sentry_dsn.get_secret_value(),
        release=f"deepstack-execution@{VERSION}",
        environment=config.trading_mode,
        integrations=[
            ExcepthookIntegration(),
            ThreadingIntegration(),
            DedupeIntegration(),
            AtexitIntegration(callback=lambda pending, timeout: None),
        ],
        default_integrations=False,
        auto_enabling_integrations=False,
        before_send=_Scrub(Mask(config)),
        send_default_pii=False,
        max_request_body_size="never",
        include_local_variables=False,
        auto_session_tracking=False,
        enable_backpressure_handling=False,
        send_client_reports=False,
        propagate_traces=False,
        trace_propagation_targets=[],
        shutdown_timeout=END_SECONDS,
    )
    logging.getLogger().addHandler(_FromLog())


def name_process(process: str) -> None:
    """In all reports of this process."""
    sentry_sdk.get_global_scope().set_tag("process", process)


class _Scrub:
    """The last look at a report: what may hold a secret is left out, the rest is masked."""

    def __init__(self, mask: Mask) -> None:
        self._mask = mask

    def __call__(self, event: "Event", hint: "Hint") -> "Event":
        request: dict[str, Any] = event.get("request") or {}
        kept = {name: request[name] for name in ("url", "method") if name in request}
        known: dict[str, Any] = {**event, "request": kept}
        known.pop("user", None)
        masked: Event = self._mask.all_in(known)
        return masked


class Pace:
    """Of reports alike: an outage must not use up a month's quota within an hour."""

    def __init__(self, most: int, seconds: float) -> None:
        self._most, self._seconds = most, seconds
        self._counts, self._until = Counter[object](), 0.0

    def allows(self, kind: object, now: float) -> bool:
        """Whether this one may leave, `now` by any clock that only goes on."""
        if now >= self._until:
            self._counts.clear()
            self._until = now + self._seconds
        self._counts[kind] += 1
        return self._counts[kind] <= self._most


class _FromLog(logging.Handler):
    """The log's errors: of structlog, whose record is a mapping, and of other libraries."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self._client = sentry_sdk.get_client()
        self._pace = Pace(MOST_ALIKE, 60.0)

    @override
    def emit(self, record: logging.LogRecord) -> None:
        """Nothing, once another client took the place of ours: it would not mask. An answer such as
        503 that nothing went wrong for is none of ours to report."""
        if record.name.startswith(_NOT_REPORTED) or sentry_sdk.get_client() is not self._client:
            return
        if record.name == _REQUESTS and not record.exc_info:
            return
        try:
            said = record.msg if isinstance(record.msg, dict) else {}
            if self._pace.allows((record.name, said.get("event", record.msg)), monotonic()):
                self._report(record, said)
        except Exception:  # noqa: BLE001  as every handler of a log does
            self.handleError(record)

    def _report(self, record: logging.LogRecord, said: Mapping[str, Any]) -> None:
        event: Event = {}
        hint: Hint = {"log_record": record}
        if error := _error_of(record, said):
            about = {"type": "logging", "handled": True}
            event, with_error = event_from_exception(error, self._client.options, about)
            hint = {**with_error, **hint}
        event["level"] = "fatal" if record.levelno >= logging.CRITICAL else "error"
        event["logger"] = str(said.get("logger", record.name))
        event["logentry"] = {"message": str(said["event"]) if said else record.getMessage()}
        event["tags"] = {name: str(said[name]) for name in TAGS if name in said}
        rest = said.keys() - {*TAGS, *_KNOWN}
        event["extra"] = {name: str(said[name]) for name in sorted(rest)}
        if isinstance(request := getattr(record, "request", None), HttpRequest):
            _add_request(event, request)
        sentry_sdk.capture_event(event, hint=hint)


def _add_request(event: "Event", request: HttpRequest) -> None:
    event["request"] = {"url": request.path, "method": str(request.method)}
    route = request.resolver_match.route if request.resolver_match else request.path
    event["transaction"] = f"{request.method} {route}"


def _error_of(record: logging.LogRecord, said: Mapping[str, Any]) -> BaseException | None:
    """structlog writes True for the exception that is being handled."""
    match record.exc_info or said.get("exc_info"):
        case True:
            error = sys.exc_info()[1]
        case BaseException() as error:
            pass
        case (_, error, _):
            pass
        case _:
            error = None
    return error if isinstance(error, BaseException) else None
