"""A long list of orders, accepted by one call that says how far it is: an answer of JSON lines."""

import json
from collections.abc import Generator, Iterator
from contextvars import copy_context
from threading import Lock
from typing import Any

import structlog
from django.http import StreamingHttpResponse
from rest_framework import status
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from deepstack.web import problem_json, store_down
from execution.api import errors

log = structlog.get_logger(__name__)

JSON_LINES = "application/x-ndjson"
EVERY = 100  # orders between two lines
# A client that reads slowly keeps its thread for as long as it likes.
_one_at_a_time = Lock()


class JsonLines(JSONRenderer):
    """What is asked for by `Accept: application/x-ndjson`; an answer without progress is a line."""

    media_type = JSON_LINES


def is_asked_for(request: Request) -> bool:
    return bool(request.accepted_renderer.media_type == JSON_LINES)


def answer(
    steps: Generator[int, None, Response], orders: int, request: Request
) -> StreamingHttpResponse:
    """`{"planned": 100, "of": 3000}` for every hundred orders; the last line is what the call
    without progress would answer, with its `status`. The HTTP status is 200 whatever comes.

    A client that hangs up before the last order is planned has stored nothing.
    """
    # Middlewares are over when the answer is read, and what they said of the caller with them.
    lines = _lines(steps, orders, request)
    context = copy_context()
    return StreamingHttpResponse(_within(context.run, lines), content_type=JSON_LINES)


def _within(run: Any, lines: Generator[bytes, None, None]) -> Iterator[bytes]:
    try:
        while (line := run(next, lines, None)) is not None:
            yield line
    finally:
        run(lines.close)


def _lines(
    steps: Generator[int, None, Response], orders: int, request: Request
) -> Generator[bytes, None, None]:
    if not _one_at_a_time.acquire(blocking=False):
        text = "another list is being accepted; nothing was changed, send it again"
        yield _line(problem_json.body(503, text, errors=None, left_out=0, code="BUSY"))
        return
    last: Any = None
    try:
        while last is None:
            try:
                planned = next(steps)
            except StopIteration as end:
                last = {"status": end.value.status_code, **end.value.data}
            except Exception as error:  # noqa: BLE001 - the status line is sent: the error is a line
                last = _failed(request, error)
            else:
                if planned % EVERY == 0 or planned == orders:
                    yield _line({"planned": planned, "of": orders})
    finally:
        steps.close()
        _one_at_a_time.release()
    yield _line(last)


def _failed(request: Request, error: Exception) -> dict[str, Any]:
    """The problem that the call without progress would answer."""
    known = errors.handle(error, {})
    if known is not None:
        return dict(known.data)
    lost = store_down.answer(request._request, error)
    if lost is not None:
        return dict(json.loads(lost.content))
    log.error("list of orders not accepted", path=request.path, exc_info=error)
    code = status.HTTP_500_INTERNAL_SERVER_ERROR
    return problem_json.body(code, problem_json.DETAILS[code])


def _line(values: dict[str, Any]) -> bytes:
    return JSONRenderer().render(values) + b"\n"
