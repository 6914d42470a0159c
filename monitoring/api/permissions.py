from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView


class SeesAlerts(BasePermission):
    """For figures that belong to no single model."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return request.user.has_perm("monitoring.view_alert")


class AcknowledgesAlerts(BasePermission):
    def has_permission(self, request: Request, view: APIView) -> bool:
        return request.user.has_perm("monitoring.change_alert")
