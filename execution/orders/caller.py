"""Who asks, and by which way in: set where a request or a command begins, read where an order or
an event is written."""

import getpass
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache

from django.http import HttpRequest, HttpResponse

from execution.models import Via

LONGEST = 150  # characters of a name


@cache
def _system_user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run under a number without a name
        return f"uid {os.getuid()}"


def _nobody() -> None:
    return None


@dataclass(frozen=True, slots=True)
class Caller:
    """`name` is asked for when it is needed: a view finds out who the user is. `person`: the user
    of a request; None of a process or a shell. `traceparent`: the request's own trace."""

    via: Via
    named: Callable[[], str] = _system_user
    person: Callable[[], object | None] = _nobody
    traceparent: str = ""

    @property
    def name(self) -> str:
        return self.named()[:LONGEST]

    def facts(self) -> dict[str, str]:
        """For an event."""
        return {"by": self.name, "via": self.via.value}


_of_context: ContextVar[Caller] = ContextVar("caller")
_of_process = [Caller(Via.PYTHON)]


def current() -> Caller:
    return _of_context.get(_of_process[0])


def be_service() -> None:
    """What this process does by itself is the service's own doing."""
    _of_process[0] = Caller(Via.SERVICE, lambda: "service")


@contextmanager
def acting(
    via: Via,
    named: Callable[[], str] = _system_user,
    person: Callable[[], object | None] = _nobody,
    traceparent: str = "",
) -> Iterator[None]:
    token = _of_context.set(Caller(via, named, person, traceparent))
    try:
        yield
    finally:
        _of_context.reset(token)


class CallerMiddleware:
    """The user of a request, which the API knows only once its view has looked at the token."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        via = Via.API if request.path_info.startswith("/api/") else Via.ADMIN
        cause = request.META.get("HTTP_TRACEPARENT", "")
        with acting(via, lambda: request.user.get_username(), lambda: request.user, cause):
            return self.get_response(request)
