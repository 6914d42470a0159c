"""The door to a preview of an order."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from execution import desk
from execution.api import serializers
from execution.api.errors import Door
from execution.api.permissions import ModelPermissions
from execution.models import Order
from execution.preview import preview


class MayAsk(ModelPermissions):
    """Whoever may see orders may ask what one would cost."""

    perms_map = {**ModelPermissions.perms_map, "POST": ["execution.view_order"]}


class OrderPreview(Door, GenericAPIView[Order]):
    """POST a signal: what it would become now and what each way of working it is expected to cost.
    Nothing is stored or sent. A signal that would be denied is answered like any other."""

    queryset = Order.objects.none()
    permission_classes = [MayAsk]
    serializer_class = serializers.OrderSerializer

    @extend_schema(
        request={"application/json": serializers.SIGNAL}, responses={200: OpenApiTypes.OBJECT}
    )
    def post(self, request: Request) -> Response:
        if not isinstance(request.data, dict):
            raise ValidationError({"detail": ["the body must be a JSON object"]})
        return Response(preview(request.data, desk.default()))
