"""The parts of the operations page that the browser asks for again and again."""

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from execution.access import desks
from execution.admin import control_pages
from execution.domain.exchange_time import exchange_day
from execution.models import Order
from monitoring.clocks import Moment
from monitoring.operations import order_now, page, slippage


@require_safe
@never_cache
@permission_required(page.SEES, raise_exception=True)
def live(request: HttpRequest) -> HttpResponse:
    context = page.live(request) | {"banner_too": True}
    return render(request, "monitoring/operations/live.html", context)


@require_safe
@never_cache
@permission_required(page.SEES, raise_exception=True)
def slippage_today(request: HttpRequest) -> JsonResponse:
    today = exchange_day(Moment.read().now)
    found = slippage.distribution(today, desks.accounts_of(request.user))
    return JsonResponse({"date": str(today), "buckets": list(found)})


@require_safe
@never_cache
@permission_required(page.SEES, raise_exception=True)
def order(request: HttpRequest, order_id: int) -> HttpResponse:
    """The head of an order's own page: its status, its costs and what was noticed about it."""
    found = get_object_or_404(desks.visible(Order.objects.all(), request.user), pk=order_id)
    context = {
        "original": found,
        **control_pages.allowed(request),
        **order_now.of(found, Moment.read()),
    }
    return render(request, "monitoring/operations/order.html", context)
