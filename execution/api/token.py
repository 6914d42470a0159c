"""A user's token for a name and a password."""

from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.authtoken.models import Token
from rest_framework.authtoken.serializers import AuthTokenSerializer
from rest_framework.parsers import FormParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from deepstack.web import login_throttle
from execution.api.parsers import BoundedJSON

_TOKEN = inline_serializer("Token", {"token": serializers.CharField()})


class TokenView(APIView):
    """POST a name and a password: the token that a program sends as `Authorization: Token ...`."""

    authentication_classes = ()
    permission_classes = ()
    parser_classes = (BoundedJSON, FormParser)
    serializer_class = AuthTokenSerializer

    @extend_schema(request=AuthTokenSerializer, responses=_TOKEN)
    def post(self, request: Request) -> Response:
        form = AuthTokenSerializer(data=request.data, context={"request": request})
        form.is_valid(raise_exception=True)
        user = form.validated_data["user"]
        login_throttle.succeeded(request, user.get_username())
        token, _ = Token.objects.get_or_create(user=user)
        return Response({"token": token.key})
