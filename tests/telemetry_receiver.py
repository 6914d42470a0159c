"""The other ends: an OTLP/HTTP receiver of spans, and where Sentry takes its events."""

import gzip
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1 import trace_pb2

from deepstack.config import ROOT
from tests.stack import database_url


@dataclass(frozen=True, slots=True)
class Span:
    """As it came over the wire; ids in hexadecimal, times in nanoseconds."""

    process: str
    trace: str
    span: str
    parent: str
    name: str
    kind: str
    began: int
    ended: int
    failed: bool
    links: tuple[str, ...]  # the traces that it links to
    about: dict[str, str | int]


@dataclass(slots=True)
class Received:
    spans: list[Span] = field(default_factory=list)
    reports: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    # Requests wait for it before they are answered.
    answers: threading.Event = field(default_factory=threading.Event)
    port: int = 0

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def dsn(self) -> str:
        return f"http://publicsecretkey@127.0.0.1:{self.port}/1"

    def of_trace(self, trace: str) -> list[Span]:
        return [span for span in self.spans if span.trace == trace]


@contextmanager
def receiving() -> Iterator[Received]:
    received = Received()
    received.answers.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.answers.wait(60)
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            received.headers.append(dict(self.headers))
            if self.path == "/v1/traces":
                received.spans.extend(_spans(body))
            elif self.path == "/api/1/envelope/":
                received.reports.extend(_reports(body))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    received.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield received
    finally:
        received.answers.set()
        server.shutdown()
        server.server_close()
        thread.join()


def _spans(body: bytes) -> Iterator[Span]:
    for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        process = str(_plain(resource.resource.attributes).get("deepstack.process"))
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield Span(
                    process,
                    span.trace_id.hex(),
                    span.span_id.hex(),
                    span.parent_span_id.hex(),
                    span.name,
                    trace_pb2.Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
                    span.start_time_unix_nano,
                    span.end_time_unix_nano,
                    span.status.code == trace_pb2.Status.STATUS_CODE_ERROR,
                    tuple(link.trace_id.hex() for link in span.links),
                    _plain(span.attributes),
                )


def _plain(attributes: Any) -> dict[str, str | int]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}


def _reports(body: bytes) -> Iterator[dict[str, Any]]:
    """Of an envelope: a line of its headers, then for each item one of its own and its content."""
    lines = body.split(b"\n")
    for head, content in zip(lines[1::2], lines[2::2], strict=False):
        if head and json.loads(head)["type"] == "event":
            yield json.loads(content)


def run_script(script: str, *words: str, **environment: str) -> str:
    """Of a Python process of its own at the test database, which must end well; what it prints."""
    ours = {"DATABASE_URL": database_url(), "DJANGO_SETTINGS_MODULE": "deepstack.settings"}
    done = subprocess.run(
        [sys.executable, "-c", script, *words],
        env=os.environ | ours | environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
