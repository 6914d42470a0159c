"""Spans by OpenTelemetry's SDK, exported over OTLP/HTTP by a thread of their own.

Imported when a process tells its first step. The queue is bounded: while nobody takes the spans the
oldest are dropped, and whoever tells a step never waits.
"""

import os
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from time import monotonic

import structlog
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, Sampler, TraceIdRatioBased
from opentelemetry.trace import (
    INVALID_SPAN,
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    TraceFlags,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.trace.status import StatusCode
from typing_extensions import override

from deepstack.config import Config
from deepstack.config_observability import read_headers
from deepstack.observability.tracing import Step
from deepstack.version import VERSION

log = structlog.get_logger(__name__)

ANSWER_SECONDS = 2.0  # for the receiver, retries included
END_SECONDS = 2.0  # for what is still queued when the process ends
QUEUE = 8_192  # spans; OTEL_BSP_MAX_QUEUE_SIZE sets another bound
PATH = "/v1/traces"


class Spans:
    def __init__(self, config: Config, process: str) -> None:
        """`process` says which of the service's processes this is."""
        self._ids = _GivenIds()
        self._exporter = _Exporter(config)
        provider = TracerProvider(
            _sampler(config),
            _resource(config, process),
            shutdown_on_exit=False,
            id_generator=self._ids,
        )
        own_bound = "OTEL_BSP_MAX_QUEUE_SIZE" in os.environ
        queue = BatchSpanProcessor(self._exporter, None if own_bound else QUEUE)
        provider.add_span_processor(queue)
        self._tracer = provider.get_tracer("deepstack", VERSION)
        self._provider = provider

    def tell(self, step: Step) -> None:
        parent = NonRecordingSpan(_sampled(step.trace, step.parent)) if step.parent else None
        with self._ids.given(step.trace, step.span):
            span = self._tracer.start_span(
                step.name,
                set_span_in_context(parent or INVALID_SPAN, Context()),
                SpanKind[step.kind],
                dict(step.attributes),
                _links(step.link) if step.parent is None else (),
                step.began,
            )
        if step.failed:
            span.set_status(StatusCode.ERROR)
        span.end(step.ended)

    def end(self) -> None:
        """Export what is queued, for END_SECONDS at most and one answer beyond them."""
        self._exporter.until = monotonic() + END_SECONDS
        self._provider.shutdown()


class _GivenIds(RandomIdGenerator):
    """The ids that a step names, in the thread that tells it; else random ones."""

    def __init__(self) -> None:
        self._own = threading.local()

    @contextmanager
    def given(self, trace: int, span: int | None) -> Iterator[None]:
        self._own.trace, self._own.span = trace, span
        try:
            yield
        finally:
            self._own.trace = self._own.span = None

    @override
    def generate_trace_id(self) -> int:
        return getattr(self._own, "trace", None) or super().generate_trace_id()

    @override
    def generate_span_id(self) -> int:
        return getattr(self._own, "span", None) or super().generate_span_id()


class _Exporter(OTLPSpanExporter):
    """Says once when the receiver stops taking spans, and once when it takes them again."""

    def __init__(self, config: Config) -> None:
        super().__init__(
            endpoint=config.otel_exporter_otlp_endpoint.rstrip("/") + PATH,
            headers=read_headers(config.otel_exporter_otlp_headers) or None,
            timeout=ANSWER_SECONDS,
        )
        self.until = float("inf")  # by `monotonic`; afterwards nothing is sent
        self._fails = False

    @override
    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        if monotonic() > self.until:
            return SpanExportResult.FAILURE
        result = super().export(spans)
        failed = result is not SpanExportResult.SUCCESS
        if failed and not self._fails:
            log.warning("traces are not taken: they are dropped until they are", to=self._endpoint)
        elif self._fails and not failed:
            log.info("traces are taken again")
        self._fails = failed
        return result


def _sampler(config: Config) -> Sampler:
    """Every span here belongs to a trace of our own, so that "parentbased" changes nothing."""
    name = config.otel_traces_sampler.removeprefix("parentbased_")
    if name == "traceidratio":
        return TraceIdRatioBased(config.otel_traces_sampler_arg)
    return ALWAYS_ON if name == "always_on" else ALWAYS_OFF


def _resource(config: Config, process: str) -> Resource:
    """With what OTEL_RESOURCE_ATTRIBUTES adds."""
    return Resource.create(
        {
            "service.name": config.otel_service_name,
            "service.version": VERSION,
            "service.instance.id": f"{socket.gethostname()}:{os.getpid()}",
            "deployment.environment.name": config.trading_mode,
            "deepstack.process": process,
        }
    )


def _sampled(trace: int, span: int) -> SpanContext:
    return SpanContext(trace, span, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))


def _links(traceparent: str) -> tuple[Link, ...]:
    """To whoever asked: by HTTP, or in this process under a span of its own."""
    asked = TraceContextTextMapPropagator().extract({"traceparent": traceparent}, Context())
    causes = get_current_span(asked), get_current_span()
    known = [each.get_span_context() for each in causes]
    return tuple(Link(each) for each in known if each.is_valid)
