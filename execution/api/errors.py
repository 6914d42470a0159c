"""What each refusal inside becomes outside: a status, a reason, nothing of our insides."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rest_framework import status
from rest_framework.exceptions import ValidationError
from rest_framework.parsers import BaseParser
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.views import exception_handler

from deepstack.web import problem_json
from deepstack.web.login_throttle import TooManyFailures
from execution.access.desks import OtherDesk
from execution.api.parsers import BoundedJSON
from execution.domain.signal import InvalidSignal
from execution.entry import readiness
from execution.entry.free_space import DiskNearlyFull
from execution.entry.order_controls import NotAllowed
from execution.entry.readiness import ClockFarOff
from execution.entry.references import ReferenceConflict
from execution.market.base import MarketDataUnavailable

Errors = Mapping[str, Sequence[str]]


def handle(error: Exception, context: dict[str, Any]) -> Response | None:
    """400 names every wrong field, 403 an account of another desk; 409 says why the order's status
    does not allow it, or which order has the reference already."""
    match error:
        case InvalidSignal():
            code = _status_of(error)
            fields = {name: [text] for name, text in error.errors.items()}
            return wrong(fields, code, left_out=error.left_out)
        case NotAllowed():
            return problem(status.HTTP_409_CONFLICT, str(error))
        case DiskNearlyFull() | ClockFarOff() | MarketDataUnavailable():
            return _not_now(error)
        case TooManyFailures():
            busy = problem(status.HTTP_429_TOO_MANY_REQUESTS, str(error))
            busy["Retry-After"] = str(error.seconds)
            return busy
        case ValidationError():
            return wrong(dict(_by_field(error.detail)))
    answer = exception_handler(error, context)
    if answer is None:
        return None
    body = problem(answer.status_code, str(answer.data["detail"]))
    for name in ("WWW-Authenticate", "Retry-After"):
        if name in answer:
            body[name] = answer[name]
    return body


def _not_now(error: DiskNearlyFull | ClockFarOff | MarketDataUnavailable) -> Response:
    http_status: int = status.HTTP_503_SERVICE_UNAVAILABLE
    match error:
        case DiskNearlyFull():
            http_status, code = status.HTTP_507_INSUFFICIENT_STORAGE, "DISK_NEARLY_FULL"
        case ClockFarOff():
            code = "CLOCK_FAR_OFF"
        case _:
            code = "MARKET_DATA_UNAVAILABLE"
    return problem(http_status, readiness.words(error), code=code)


def _status_of(error: InvalidSignal) -> int:
    match error:
        case ReferenceConflict():
            return status.HTTP_409_CONFLICT
        case OtherDesk():
            return status.HTTP_403_FORBIDDEN
    return status.HTTP_400_BAD_REQUEST


def problem(
    http_status: int,
    detail: str,
    *,
    errors: Errors | None = None,
    left_out: int = 0,
    **more: str,
) -> Response:
    body = problem_json.body(http_status, detail, errors=errors, left_out=left_out, **more)
    return Response(body, status=http_status, content_type=problem_json.CONTENT_TYPE)


def wrong(
    errors: Errors, code: int = status.HTTP_400_BAD_REQUEST, *, left_out: int = 0
) -> Response:
    """What is said about no single field is its detail."""
    whole = [text for name in _OF_ALL for text in errors.get(name, ())]
    fields = {name: texts for name, texts in errors.items() if name not in _OF_ALL}
    if not fields:
        return problem(code, "; ".join(whole))
    names = ", ".join(list(fields)[: problem_json.MOST_FIELDS])
    detail = "; ".join([*whole, f"wrong: {names}"])
    return problem(code, detail, errors=fields, left_out=left_out)


_OF_ALL = ("detail", api_settings.NON_FIELD_ERRORS_KEY)


def _by_field(detail: Any, name: str = "") -> Iterator[tuple[str, list[str]]]:
    """The sentences of a ValidationError, however deep: `orders.3.side`."""
    if isinstance(detail, Mapping):
        for key, inner in detail.items():
            yield from _by_field(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(detail, list) and any(isinstance(each, Mapping | list) for each in detail):
        for index, inner in enumerate(detail):
            yield from _by_field(inner, f"{name}.{index}" if name else str(index))
    else:
        texts = detail if isinstance(detail, list) else [detail]
        yield name or "detail", [str(text) for text in texts]


class Door:
    """A view that reads bounded JSON."""

    parser_classes: Sequence[type[BaseParser]] = (BoundedJSON,)
