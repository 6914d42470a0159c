"""What a request is answered when PostgreSQL or Redis is away: 503 with a reason, no traceback."""

from collections.abc import Callable

import redis
import structlog
from django.db import Error
from django.http import HttpRequest, HttpResponse
from kombu.exceptions import KombuError as QueueError

from deepstack import redis_check
from deepstack.database import sessions
from deepstack.web import error_page, problem_json

log = structlog.get_logger(__name__)

RETRY_AFTER_SECONDS = 2


class StoreDownMiddleware:
    """For errors of views; a middleware that asks a store answers by `answer` itself, as Django
    makes a 500 of what it raises."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        return answer(request, error)


def answer(request: HttpRequest, error: Exception) -> HttpResponse | None:
    """None for an error that does not come from a lost store."""
    store = _lost_store(error)
    if store is None:
        return None
    log.error("store away", store=store, path=request.path, error=str(error).strip())
    # The connection may have broken after a commit: neither success nor failure is known.
    unknown = f"{store}: {_words(error)}. Whether this request changed anything is unknown: "
    if error_page.is_wanted(request):
        page = error_page.answer(503, f"{unknown}look before you do it again.")
        page["Retry-After"] = str(RETRY_AFTER_SECONDS)
        return page
    return problem_json.answer(
        503,
        f"{unknown}send it again, an order with the same Idempotency-Key.",
        code=f"{store.upper()}_UNAVAILABLE",
        headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
    )


def _words(error: Exception) -> str:
    if isinstance(error, Error):
        return sessions.in_words(error)
    return redis_check.in_words(error)


def _lost_store(error: Exception) -> str | None:
    match error:
        case Error() if sessions.is_away(error):
            return "database"
        case QueueError() | redis.RedisError():
            return "redis"
    return None
