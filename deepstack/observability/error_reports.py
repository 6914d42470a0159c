"""Errors of every process, reported to Sentry where SENTRY_DSN names one.

An error is whatever the log has as one, and what nobody caught. Nothing is instrumented beyond that
but Django, for the address of a failed request and the statements before an error: no header
joins our requests to brokers, and a task's message stays as it is.
"""

import logging
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from deepstack.config import Config
from deepstack.version import VERSION

if TYPE_CHECKING:
    from sentry_sdk.types import Event, Hint

    from deepstack.observability.masking import Mask

END_SECONDS = 2.0  # for what is still queued when the process ends
# Found again in the order's audit trail, and searched for in Sentry.
TAGS = ("order_id", "slice_id", "symbol", "account", "stage")
_OWN_LOGGERS = ("sentry_sdk", "urllib3", "opentelemetry")


def begin(config: Config) -> None:
    """No thread starts before the first report: this process may be about to fork."""
    import sentry_sdk
    from sentry_sdk.integrations.atexit import AtexitIntegration
    from sentry_sdk.integrations.dedupe import DedupeIntegration
    from sentry_sdk.integrations.django import DjangoIntegration
    from sentry_sdk.integrations.excepthook import ExcepthookIntegration
    from sentry_sdk.integrations.threading import ThreadingIntegration

    from deepstack.observability.masking import Mask

    sentry_sdk.init(
        dsn=config.sentry_dsn.get_secret_value(),
        release=f"deepstack-execution@{VERSION}",
        environment=config.trading_mode,
        integrations=[
            DjangoIntegration(signals_spans=False),
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
    logging.getLogger().addHandler(_FromLog(logging.ERROR))


def name_process(process: str) -> None:
    """In all reports of this process."""
    if sdk := sys.modules.get("sentry_sdk"):
        sdk.get_isolation_scope().set_tag("process", process)


class _Scrub:
    """The last look at a report: what may hold a secret is left out, the rest is masked."""

    def __init__(self, mask: "Mask") -> None:
        self._mask = mask

    def __call__(self, event: "Event", hint: "Hint") -> "Event":
        request: dict[str, Any] = event.get("request") or {}
        kept = {name: request[name] for name in ("url", "method") if name in request}
        known: dict[str, Any] = {**event, "request": kept}
        known.pop("user", None)
        masked: Event = self._mask.all_in(known)
        return masked


class _FromLog(logging.Handler):
    """The log's errors: of structlog, whose record is a mapping, and of other libraries."""

    def emit(self, record: logging.LogRecord) -> None:
        if not record.name.startswith(_OWN_LOGGERS):
            try:
                _report(record)
            except Exception:  # noqa: BLE001  as every handler of a log does
                self.handleError(record)


def _report(record: logging.LogRecord) -> None:
    import sentry_sdk
    from sentry_sdk.utils import event_from_exception

    said: Mapping[str, Any] = record.msg if isinstance(record.msg, dict) else {}
    event: Event = {}
    hint: Hint = {"log_record": record}
    if error := _error_of(record, said):
        options = sentry_sdk.get_client().options
        about = {"type": "logging", "handled": True}
        event, hint_of_error = event_from_exception(error, client_options=options, mechanism=about)
        hint = {**hint_of_error, **hint}
    event["level"] = "fatal" if record.levelno >= logging.CRITICAL else "error"
    event["logger"] = str(said.get("logger", record.name))
    event["logentry"] = {"message": str(said.get("event", "") or record.getMessage())}
    event["tags"] = {name: str(said[name]) for name in TAGS if name in said}
    rest = {name: value for name, value in said.items() if name not in (*TAGS, "exc_info")}
    event["extra"] = {name: str(value) for name, value in rest.items()}
    sentry_sdk.capture_event(event, hint=hint)


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
