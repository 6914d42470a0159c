"""POST orders/{id}/amend/: another quantity, end or limit for what has not left."""

import re
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.exceptions import NotFound
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from execution import context
from execution.api import serializers
from execution.api.errors import Door, problem
from execution.api.views import MaySubmit, etag
from execution.domain.reading import shown
from execution.domain.signal import InvalidSignal
from execution.entry import amend
from execution.models import Order

MATCH = "If-Match"


class AmendOrder(Door, GenericAPIView[Order]):
    """The order's version is the one that the caller read: as `version`, 409 when the order has
    moved on since, or as the header If-Match (what ETag said), then 412."""

    queryset = Order.objects.all()
    permission_classes = [MaySubmit]
    serializer_class = serializers.AmendSerializer

    @extend_schema(
        parameters=[
            OpenApiParameter(MATCH, location="header", description='stands for version: `"3"`')
        ],
        responses=serializers.OrderSerializer,
    )
    def post(self, request: Request, pk: int) -> Response:
        values, version = _read(request.data, request.headers.get(MATCH))
        reason = {"reason": values.pop("reason")} if "reason" in values else {}
        why = serializers.ReasonSerializer(data=reason)
        why.is_valid(raise_exception=True)
        try:
            order = amend.amend(
                pk,
                values,
                version=version,
                by=request.user.get_username(),
                context=context.default(),
                **why.validated_data,
            )
        except Order.DoesNotExist:
            raise NotFound(f"no order {pk}") from None
        except amend.StaleVersion as error:
            if MATCH not in request.headers:
                raise
            return problem(status.HTTP_412_PRECONDITION_FAILED, str(error))
        shown = serializers.OrderSerializer(order).data
        return Response(shown, headers={"ETag": etag(order.version)})


def _read(body: Any, match: str | None) -> tuple[dict[str, object], int]:
    if not isinstance(body, dict):
        raise InvalidSignal({"body": "must be a JSON object"})
    version = body.get("version")
    if match is not None:
        matched = _version(match)
        if version not in (None, matched):
            raise InvalidSignal({"version": f"is {shown(version)}, but {MATCH} is {shown(match)}"})
        version = matched
    if version is None:
        raise InvalidSignal({"version": f"is required, here or as {MATCH}: the one that was read"})
    if isinstance(version, bool) or not isinstance(version, int):
        raise InvalidSignal({"version": f"must be the order's version, got {shown(version)}"})
    return {name: value for name, value in body.items() if name != "version"}, version


def _version(match: str) -> int:
    found = re.fullmatch(r'"([0-9]{1,9})"', match.strip())
    if found is None:
        raise InvalidSignal({MATCH: f'must be one version such as "3", got {shown(match)}'})
    return int(found[1])
