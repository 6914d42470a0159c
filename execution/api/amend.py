"""POST orders/{id}/amend/: another quantity, end or limit for what has not left."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from execution import context
from execution.api import serializers
from execution.api.errors import Door
from execution.api.views import MaySubmit
from execution.domain.reading import shown
from execution.domain.signal import InvalidSignal
from execution.entry import amend
from execution.models import Order


class AmendOrder(Door, GenericAPIView[Order]):
    """`version` is the one that the caller read; 409 when the order has moved on since."""

    queryset = Order.objects.all()
    permission_classes = [MaySubmit]
    serializer_class = serializers.AmendSerializer

    @extend_schema(responses=serializers.OrderSerializer)
    def post(self, request: Request, pk: int) -> Response:
        values, version = _read(request.data)
        reason = {"reason": values.pop("reason")} if "reason" in values else {}
        why = serializers.ReasonSerializer(data=reason)
        why.is_valid(raise_exception=True)
        try:
            order = amend.amend(
                pk,
                values,
                version=version,
                by=request.user.get_username(),
                desk=context.default(),
                **why.validated_data,
            )
        except Order.DoesNotExist:
            raise NotFound(f"no order {pk}") from None
        return Response(serializers.OrderSerializer(order).data)


def _read(body: Any) -> tuple[dict[str, object], int]:
    if not isinstance(body, dict):
        raise InvalidSignal({"body": "must be a JSON object"})
    version = body.get("version")
    if isinstance(version, bool) or not isinstance(version, int):
        raise InvalidSignal({"version": f"must be the order's version, got {shown(version)}"})
    return {name: value for name, value in body.items() if name != "version"}, version
