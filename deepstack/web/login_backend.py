"""Who may log in, and how often."""

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import User
from django.db.models import Exists, OuterRef
from django.http import HttpRequest
from django_otp.plugins.otp_totp.models import TOTPDevice

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

    def get_user(self, user_id: Any) -> Any:
        """With `has_device`, whether a second factor is enrolled: every request asks."""
        device = TOTPDevice.objects.filter(user=OuterRef("pk"), confirmed=True)
        found = User.objects.annotate(has_device=Exists(device)).filter(pk=user_id).first()
        return found if found is not None and self.user_can_authenticate(found) else None
