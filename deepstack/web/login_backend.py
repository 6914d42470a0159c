"""Who may log in, and how often."""

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import User
from django.db.models import Exists, OuterRef
from django.http import HttpRequest
from django_otp.plugins.otp_totp.models import TOTPDevice

from deepstack.config import current
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
        found = super().authenticate(request, username, password, **more)
        return None if found is not None and _is_for_single_sign_on(request, found) else found

    def get_user(self, user_id: Any) -> Any:
        """With `has_device`, whether a second factor is enrolled: every request asks."""
        device = TOTPDevice.objects.filter(user=OuterRef("pk"), confirmed=True)
        found = User.objects.annotate(has_device=Exists(device)).filter(pk=user_id).first()
        return found if found is not None and self.user_can_authenticate(found) else None


def _is_for_single_sign_on(request: HttpRequest | None, user: Any) -> bool:
    """Whether the password of this person opens no page. A superuser's does, for the day on which
    the identity provider is away or lets the wrong people in; a token is asked for with any."""
    page = request is not None and not request.path_info.startswith("/api/")
    return page and current().oidc_only and not user.is_superuser
