"""API tokens that expire."""

from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.utils import timezone
from rest_framework.authentication import TokenAuthentication
from rest_framework.authtoken.models import Token
from rest_framework.exceptions import AuthenticationFailed
from typing_extensions import override

from deepstack.config import current
from deepstack.database.prepared_query import Param, Prepared

# Asked at every request.
_ISSUED = Prepared[Token](lambda: Token.objects.select_related("user").filter(key=Param("key", "")))


def expires_at(token: Token) -> datetime:
    created: datetime = token.created
    return created + timedelta(days=current().token_days)


class ExpiringToken(TokenAuthentication):
    """As `Authorization: Token ...`; one that is too old is as good as none."""

    @override
    def authenticate_credentials(self, key: str) -> tuple[User, Token]:
        token = _ISSUED.first(key=key)
        if token is None:
            raise AuthenticationFailed("there is no such token: it was ended, or mistyped")
        if not token.user.is_active:
            raise AuthenticationFailed("the user of this token is not active")
        if expires_at(token) <= timezone.now():
            raise AuthenticationFailed(
                "the token has expired: POST name and password to /api/v1/token/ for another"
            )
        return token.user, token
