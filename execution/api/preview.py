"""The door to a preview of an order."""

from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from execution import context
from execution.api import serializers
from execution.api.errors import Door
from execution.api.permissions import ModelPermissions
from execution.api.signal_schema import SIGNAL
from execution.domain.algorithms.registry import ALGOS
from execution.domain.costs import Basis
from execution.entry.preview import preview
from execution.models import Order

_BPS = {"type": "number", "description": "basis points of the order's value, + is a cost"}
_BPS_OR_NULL = {**_BPS, "nullable": True}
_TIME = {"type": "string", "format": "date-time"}
_ESTIMATE = {
    "standard_error_bps": _BPS_OR_NULL,
    "spread_bps": _BPS,
    "impact_bps": _BPS,
    "basis": {"type": "string", "enum": [each.value for each in Basis]},
}
ALTERNATIVE = {
    "algorithm": {"type": "string", "enum": list(ALGOS)},
    "finish": _TIME,
    "cost_bps": _BPS,
    **_ESTIMATE,
    "deviation_bps": _BPS_OR_NULL,
    "participation": {"type": "number", "nullable": True},
    "feasible": {"type": "boolean", "nullable": True},
    "feasible_by": {**_TIME, "nullable": True},
}
# Documentation alone: execution.entry.preview.Preview is what is answered.
PREVIEW = {
    "symbol": {"type": "string"},
    "side": {"type": "string"},
    "quantity": {"type": "integer"},
    "status": {"type": "string", "enum": ["ACCEPTED", "DENIED"]},
    "reason": {"type": "string"},
    "algorithm": {"type": "string"},
    "chosen_because": {"type": "string"},
    "start_at": _TIME,
    "end_at": _TIME,
    "slices": {"type": "integer"},
    "estimate": {"type": "object", "properties": {"bps": _BPS, **_ESTIMATE}},
    "alternatives": {"type": "array", "items": {"type": "object", "properties": ALTERNATIVE}},
    "profile": {"type": "object"},
    "residual": {"type": "object"},
    "left_out": {"type": "array", "items": {"type": "string"}},
    "waits_for": {"type": "array", "items": {"type": "string"}},
    "rounded": {"type": "object", "additionalProperties": {"type": "object"}},
    "halted": {"type": "object", "properties": {"since": _TIME, "reason": {"type": "string"}}},
    "advice": {
        "type": "array",
        "items": {"type": "string"},
        "description": "what else speaks for or against a way to work it",
    },
    "fills": {
        "type": "string",
        "description": "how far fills on paper can be believed; empty with a real broker",
    },
}


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
        request={"application/json": SIGNAL},
        responses={(200, "application/json"): {"type": "object", "properties": PREVIEW}},
    )
    def post(self, request: Request) -> Response:
        if not isinstance(request.data, dict):
            raise ValidationError({"detail": ["the body must be a JSON object"]})
        return Response(preview(request.data, context.default()))
