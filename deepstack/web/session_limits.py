"""A login ends: after a while in which nobody did anything, and after a working day."""

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from django.contrib.auth import SESSION_KEY, logout, user_logged_in
from django.contrib.sessions.backends.base import SessionBase
from django.db import Error
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from deepstack.config import current
from deepstack.web import store_down

log = structlog.get_logger(__name__)

BEGAN, ACTIVE = "login_began", "login_active"
NOTED_EVERY = timedelta(seconds=60)  # activity is not stored with every request
# What a page asks for by itself, without a person.
BY_ITSELF = ("/operations/",)


def ended(began: str, active: str, now: datetime, *, idle: timedelta, longest: timedelta) -> str:
    """Why a session is over, from ISO moments; empty when it goes on. A session of which nothing is
    known is over."""
    if not began or not active:
        return "it is older than its limits"
    if now - datetime.fromisoformat(began) >= longest:
        return "a working day is over"
    if now - datetime.fromisoformat(active) >= idle:
        return "nobody did anything"
    return ""


class SessionLimitsMiddleware:
    """After `AuthenticationMiddleware`: who is logged out here is nobody for the view."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        try:
            if SESSION_KEY in request.session:
                _judge(request, timezone.now())
        except Error as error:
            answer = store_down.answer(request, error)
            if answer is None:
                raise
            return answer
        return self.get_response(request)


def _judge(request: HttpRequest, now: datetime) -> None:
    config, session = current(), request.session
    active = session.get(ACTIVE, "")
    why = ended(
        session.get(BEGAN, ""),
        active,
        now,
        idle=timedelta(minutes=config.session_idle_minutes),
        longest=timedelta(hours=config.session_hours),
    )
    if why:
        log.info("login ended", user=request.user.get_username(), why=why)
        logout(request)
    elif not _by_itself(request) and now - datetime.fromisoformat(active) >= NOTED_EVERY:
        session[ACTIVE] = now.isoformat()


def _by_itself(request: HttpRequest) -> bool:
    return any(part in request.path_info for part in BY_ITSELF)


def _begin(request: HttpRequest | None, **_: object) -> None:
    session: SessionBase | None = getattr(request, "session", None)
    if session is not None:
        session[BEGAN] = session[ACTIVE] = timezone.now().isoformat()


def listen() -> None:
    user_logged_in.connect(_begin, dispatch_uid="deepstack.web.session_limits")
