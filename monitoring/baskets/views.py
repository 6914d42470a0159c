"""The pages of baskets: those of a period, and one with its orders."""

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.contrib.auth.decorators import permission_required
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from execution.access import desks
from execution.access.desks import Accounts
from execution.admin import control_pages
from execution.domain.exchange_time import day_begins, exchange_day
from execution.market import clock
from execution.orders.results import actual_slippage_bps, average_price
from monitoring.baskets import csv_file, figures
from monitoring.cost_report.period import DAY, BadPeriod, read

SEES = "execution.view_order"


@require_safe
@never_cache
@permission_required(SEES, raise_exception=True)
def baskets(request: HttpRequest) -> HttpResponse:
    """Those of today and the live ones, or of the exchange days that are asked for."""
    asked = request.GET
    shown = {
        **admin.site.each_context(request),
        "title": "Baskets",
        "first": asked.get("from", ""),
        "last": asked.get("to", ""),
        "same": asked.urlencode(),
    }
    try:
        begin, end = _period(shown["first"], shown["last"])
    except BadPeriod as error:
        shown["trouble"] = f"{error.field}: {error}"
        return TemplateResponse(request, "monitoring/baskets/list.html", shown, status=400)
    own = desks.accounts_of(request.user)
    names = figures.newest(begin, end, own, most=figures.SHOWN + 1)
    shown |= {
        "baskets": figures.of(names[: figures.SHOWN], own),
        "more": len(names) > figures.SHOWN,
        "most": figures.SHOWN,
    }
    return TemplateResponse(request, "monitoring/baskets/list.html", shown)


@require_safe
@never_cache
@permission_required(SEES, raise_exception=True)
def export(request: HttpRequest) -> HttpResponse:
    """All baskets of the list as a file, also those beyond the ones that the page shows."""
    try:
        begin, end = _period(request.GET.get("from", ""), request.GET.get("to", ""))
    except BadPeriod as error:
        return HttpResponse(f"{error.field}: {error}", status=400, content_type="text/plain")
    own = desks.accounts_of(request.user)
    found = figures.of(figures.newest(begin, end, own), own)
    answer = HttpResponse(csv_file.text(found), content_type="text/csv; charset=utf-8")
    answer.headers["Content-Disposition"] = 'attachment; filename="baskets.csv"'
    return answer


@require_safe
@never_cache
@permission_required(SEES, raise_exception=True)
def basket(request: HttpRequest) -> HttpResponse:
    name = request.GET.get("name", "")
    own = desks.accounts_of(request.user)
    found = figures.of([name], own)
    if not found:
        raise Http404(f"no order is in a basket of this name: {name}")
    parts = {**control_pages.allowed(request), **_parts(found[0], own)}
    if "parts" in request.GET:
        return TemplateResponse(request, "monitoring/baskets/parts.html", parts)
    shown = {**admin.site.each_context(request), "title": f"Basket {name}", **parts}
    return TemplateResponse(request, "monitoring/baskets/basket.html", shown)


def _period(first: str, last: str) -> tuple[datetime, datetime | None]:
    """Without an end: until now, and the live ones of before."""
    today = exchange_day(clock.now())
    if not first and not last:
        return day_begins(today), None
    period = read(first, last, None, today=today)
    return day_begins(period.first), day_begins(period.last + DAY)


def _parts(found: figures.Basket, own: Accounts) -> dict[str, Any]:
    orders = list(figures.orders_of(found.name, own)[: figures.SHOWN])
    return {
        "now": clock.now(),
        "basket": found,
        "pausable": found.live - found.paused,
        "rows": [(each, average_price(each), actual_slippage_bps(each)) for each in orders],
        "more": found.orders - len(orders),
    }
