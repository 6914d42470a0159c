"""Who may log in, and how often."""

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.http import HttpRequest

from deepstack.web import login_throttle


class ThrottledBackend(ModelBackend):
    """Users of the database, unless too many passwords were wrong."""

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **more: Any,
    ) -> Any:
        """Raises logins.TooManyFailures."""
        where = "" if request is None else login_throttle.address(request.META)
        if where and (seconds := login_throttle.throttle.wait(where, username or "")):
            raise login_throttle.TooManyFailures(seconds)
        return super().authenticate(request, username, password, **more)
