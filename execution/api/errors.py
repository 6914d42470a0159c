"""What each refusal inside becomes outside: a status, a reason, nothing of our insides."""

from collections.abc import Sequence
from typing import Any

from rest_framework import status
from rest_framework.parsers import BaseParser
from rest_framework.response import Response
from rest_framework.views import exception_handler

from execution.api.parsers import BoundedJSON
from execution.controls import NotAllowed
from execution.domain.signal import InvalidSignal
from execution.market.base import MarketDataUnavailable
from execution.references import ReferenceConflict


def handle(error: Exception, context: dict[str, Any]) -> Response | None:
    """400 names every wrong field; 409 says why the order's status does not allow it, or which
    order has the reference already."""
    match error:
        case InvalidSignal():
            fields = {name: [text] for name, text in error.errors.items()}
            taken = isinstance(error, ReferenceConflict)
            code = status.HTTP_409_CONFLICT if taken else status.HTTP_400_BAD_REQUEST
            return Response(fields, status=code)
        case NotAllowed():
            return Response({"detail": str(error)}, status=status.HTTP_409_CONFLICT)
        case MarketDataUnavailable():
            detail = "the market data source does not answer; nothing was stored, send it again"
            return Response(
                {"code": "MARKET_DATA_UNAVAILABLE", "detail": detail},
                status=status.HTTP_503_SERVICE_UNAVAILABLE,
            )
    return exception_handler(error, context)


class Door:
    """A view that reads bounded JSON and whose errors go through `handle`."""

    parser_classes: Sequence[type[BaseParser]] = (BoundedJSON,)

    def get_exception_handler(self) -> Any:
        return handle
