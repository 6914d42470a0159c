"""API tokens that expire."""

from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.utils import timezone
from rest_framework.authentication import TokenAuthentication
from rest_framework.authtoken.models import Token
from rest_framework.exceptions import AuthenticationFailed
from typing_extensions import override

from deepstack.config import current


def expires_at(token: Token) -> datetime:
    created: datetime = token.created
    return created + timedelta(days=current().token_days)


class ExpiringToken(TokenAuthentication):
    """As `Authorization: Token ...`; one that is too old is as good as none."""

    @override
    def authenticate_credentials(self, key: str) -> tuple[User, Token]:
        user, token = super().authenticate_credentials(key)
        if expires_at(token) <= timezone.now():
            raise AuthenticationFailed(
                "the token has expired: POST name and password to /api/v1/token/ for another"
            )
        return user, token
