"""A user's token for a name, a password and, where one is asked for, a code of the second factor.

It expires; another one takes its place when asked.
"""

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.authtoken.models import Token
from rest_framework.authtoken.serializers import AuthTokenSerializer
from rest_framework.exceptions import ValidationError
from rest_framework.parsers import FormParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from deepstack.web import login_throttle
from deepstack.web.token_expiry import expires_at
from execution.access import second_factor
from execution.access.second_factor import WrongCode
from execution.api.parsers import BoundedJSON

_TOKEN = inline_serializer(
    "Token", {"token": serializers.CharField(), "expires_at": serializers.DateTimeField()}
)


class TokenRequest(AuthTokenSerializer):
    """`rotate`: end the token of now, and give another one. `code`: of the second factor, needed
    by whom it is asked of."""

    rotate = serializers.BooleanField(default=False)
    code = serializers.CharField(required=False, max_length=40)


class TokenView(APIView):
    """POST a name and a password, and a code where a second factor is asked for: the token that a
    program sends as `Authorization: Token ...`, until it expires. `rotate` ends the one of now."""

    authentication_classes = ()
    permission_classes = ()
    parser_classes = (BoundedJSON, FormParser)
    serializer_class = TokenRequest

    @extend_schema(request=TokenRequest, responses=_TOKEN)
    def post(self, request: Request) -> Response:
        form = TokenRequest(data=request.data, context={"request": request})
        form.is_valid(raise_exception=True)
        user = form.validated_data["user"]
        _check_code(request, user, form.validated_data.get("code"))
        login_throttle.succeeded(request, user.get_username())
        token = _token_of(user, another=form.validated_data["rotate"])
        return Response({"token": token.key, "expires_at": expires_at(token)})


def _check_code(request: Request, user: User, code: str | None) -> None:
    if not second_factor.asked_of(user):
        return
    if code is None:
        raise ValidationError({"code": ["is needed: that of your second factor"]})
    try:
        second_factor.check(user, code, address=login_throttle.address(request.META))
    except WrongCode as error:
        raise ValidationError({"code": [str(error)]}) from None


@transaction.atomic
def _token_of(user: User, *, another: bool) -> Token:
    token: Token
    token, new = Token.objects.select_for_update().get_or_create(user=user)
    if not new and (another or expires_at(token) <= timezone.now()):
        token.delete()
        token = Token.objects.create(user=user)
    return token
