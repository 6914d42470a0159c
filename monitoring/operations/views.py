"""The parts of the operations page that the browser asks for again and again."""

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from execution.domain.exchange_time import exchange_day
from monitoring.clocks import Moment
from monitoring.operations import page, slippage


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
    return JsonResponse({"date": str(today), "buckets": list(slippage.distribution(today))})
