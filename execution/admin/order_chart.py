"""The lines of an order's charts, as its page reads them."""

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path

from execution.access import desks
from execution.market import clock, market_data
from execution.models import Order
from execution.orders.progress_curve import curve


def drawn(request: HttpRequest, order_id: int) -> HttpResponse:
    """`live`: the lines may still grow."""
    if not request.user.has_perm("execution.view_order"):
        raise PermissionDenied
    order = get_object_or_404(desks.visible(Order.objects.all(), request.user), pk=order_id)
    found = curve(order, market_data(), now=clock.now())
    return JsonResponse({**found, "live": not order.is_terminal})


def urls() -> list[URLPattern]:
    view = admin.site.admin_view(drawn)
    return [path("<int:order_id>/curve/", view, name="execution_order_curve")]
