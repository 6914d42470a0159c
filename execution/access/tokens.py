"""API tokens of people whose second factor is asked for."""

from django.contrib.auth.models import User
from rest_framework.authtoken.models import Token
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from typing_extensions import override

from deepstack.web.token_expiry import ExpiringToken
from execution.access import login_gate, second_factor


class ProvenToken(ExpiringToken):
    """A token is issued for a code where one is asked for, and enrolling ends all before it: whose
    holder has no device was issued for a password alone. It halts, and does nothing else."""

    halting = False

    @override
    def authenticate(self, request: Request) -> tuple[User, Token] | None:
        self.halting = login_gate.halts(request._request)
        found: tuple[User, Token] | None = super().authenticate(request)
        return found

    @override
    def authenticate_credentials(self, key: str) -> tuple[User, Token]:
        user, token = super().authenticate_credentials(key)
        if not self.halting and second_factor.must_enrol(user):
            raise AuthenticationFailed(
                "the token was issued for a password alone: enrol a second factor at"
                " /admin/second-factor/, then ask for another token with its code"
            )
        return user, token
