"""The doors to POSITION breaks: what holds a symbol back, and its acceptance."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.generics import GenericAPIView, ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from execution.access import desks
from execution.api.errors import Door
from execution.api.filters import KnownFilters, NewestFirst
from execution.api.permissions import ModelPermissions
from execution.api.serializers import real_time
from execution.domain.reconciliation import Kind
from execution.market import clock
from execution.models import BrokerDifference
from execution.reconciliation import break_acceptance


class BreakSerializer(serializers.ModelSerializer[BrokerDifference]):
    first_seen_at = real_time("first_seen_at_real")
    last_seen_at = real_time("last_seen_at_real")
    gone_at = real_time("gone_at_real")

    class Meta:
        model = BrokerDifference
        fields = (
            "id",
            "broker",
            "account",
            "symbol",
            "ours",
            "theirs",
            "gap",
            "words",
            "first_seen_at",
            "last_seen_at",
            "gone_at",
            "accepted_by",
            "accepted_reason",
        )
        read_only_fields = fields


class AcceptSerializer(serializers.Serializer[Any]):
    reason = serializers.CharField(max_length=300)


class MayAccept(ModelPermissions):
    perms_map = {**ModelPermissions.perms_map, "POST": ["execution.change_brokerdifference"]}


class BreakList(Door, ListAPIView[BrokerDifference]):
    """POSITION breaks, newest first; `gone_at` is empty while one holds its symbol back."""

    queryset = BrokerDifference.objects.filter(kind=Kind.POSITION)
    serializer_class = BreakSerializer
    pagination_class = NewestFirst
    filter_backends = [KnownFilters]
    filterset_fields = ("account", "symbol")


class AcceptBreak(Door, GenericAPIView[BrokerDifference]):
    """The broker's shares count as held from now on, and the symbol trades again. 409 when the
    break is no longer open."""

    queryset = BrokerDifference.objects.filter(kind=Kind.POSITION)
    permission_classes = [MayAccept]
    serializer_class = AcceptSerializer

    @extend_schema(responses=BreakSerializer)
    def post(self, request: Request, pk: int) -> Response:
        body = self.get_serializer(data=request.data)
        body.is_valid(raise_exception=True)
        who = request.user.get_username()
        if not desks.visible(self.get_queryset().filter(pk=pk), request.user).exists():
            raise NotFound(f"no POSITION break {pk}")
        try:
            taken = break_acceptance.accept(pk, by=who, now=clock.now(), **body.validated_data)
        except BrokerDifference.DoesNotExist:
            raise NotFound(f"no POSITION break {pk}") from None
        return Response(BreakSerializer(taken).data)
