"""What has changed of the orders that a list shows, as the open page asks again and again."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Max
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import URLPattern, path
from django.utils.html import conditional_escape
from django.views.decorators.cache import never_cache

from execution.access import desks
from execution.admin import base
from execution.models import Order

AT_ONCE = 200  # orders of one page, with "Show all"
MOVING = ("state", "filled", "average", "slippage")


@never_cache
def now(request: HttpRequest) -> HttpResponse:
    """`orders`: numbers with commas between. Answers the columns that move as HTML, by order, and
    the `newest` order's number. Two queries."""
    if not request.user.has_perm("execution.view_order"):
        raise PermissionDenied
    own = desks.visible(Order.objects.all(), request.user)
    ids = base.numbers_in(request.GET.get("orders", ""), most=AT_ONCE)
    return JsonResponse(
        {
            "orders": {order.pk: _columns(order) for order in own.filter(pk__in=ids)},
            "newest": own.aggregate(newest=Max("pk"))["newest"] or 0,
        }
    )


def _columns(order: Order) -> dict[str, str]:
    """As the list itself shows them."""
    shown: Any = admin.site.get_model_admin(Order)
    return {name: conditional_escape(getattr(shown, name)(order)) for name in MOVING}


def urls() -> list[URLPattern]:
    return [path("now/", admin.site.admin_view(now), name="execution_order_now")]
