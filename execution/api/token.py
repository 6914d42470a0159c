"""A user's token for a name and a password. It expires; another one takes its place when asked."""

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.authtoken.models import Token
from rest_framework.authtoken.serializers import AuthTokenSerializer
from rest_framework.parsers import FormParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from deepstack.web import login_throttle
from deepstack.web.token_expiry import expires_at
from execution.api.parsers import BoundedJSON

_TOKEN = inline_serializer(
    "Token", {"token": serializers.CharField(), "expires_at": serializers.DateTimeField()}
)


class TokenRequest(AuthTokenSerializer):
    """`rotate`: end the token of now, and give another one."""

    rotate = serializers.BooleanField(default=False)


class TokenView(APIView):
    """POST a name and a password: the token that a program sends as `Authorization: Token ...`,
    until it expires. `rotate` ends the one of now."""

    authentication_classes = ()
    permission_classes = ()
    parser_classes = (BoundedJSON, FormParser)
    serializer_class = TokenRequest

    @extend_schema(request=TokenRequest, responses=_TOKEN)
    def post(self, request: Request) -> Response:
        form = TokenRequest(data=request.data, context={"request": request})
        form.is_valid(raise_exception=True)
        user = form.validated_data["user"]
        login_throttle.succeeded(request, user.get_username())
        token = _token_of(user, another=form.validated_data["rotate"])
        return Response({"token": token.key, "expires_at": expires_at(token)})


@transaction.atomic
def _token_of(user: User, *, another: bool) -> Token:
    token: Token
    token, new = Token.objects.select_for_update().get_or_create(user=user)
    if not new and (another or expires_at(token) <= timezone.now()):
        token.delete()
        token = Token.objects.create(user=user)
    return token
