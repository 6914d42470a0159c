"""The TCA page of the back office, and the same report as files."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from execution.access import desks
from execution.domain.exchange_time import exchange_day
from monitoring.clocks import Moment
from monitoring.cost_report import csv_file as csv_rows
from monitoring.cost_report import html_page, period, replayed, replayed_csv, report
from monitoring.cost_report.period import BadPeriod, Period
from monitoring.cost_report.report import BY, Report

SEES = "monitoring.view_costanalysis"
PERIODS = (("today", "Today"), ("week", "This week"), ("month", "This month"))
DEFAULT_PERIOD, DEFAULT_BY = "week", "symbol"


@require_safe
@never_cache
@permission_required(SEES, raise_exception=True)
def page(request: HttpRequest) -> HttpResponse:
    context = {**admin.site.each_context(request), **_choice(request)}
    try:
        found = _report(request)
    except BadPeriod as error:
        context["trouble"] = f"{error.field}: {error}"
        return TemplateResponse(request, "monitoring/tca/page.html", context, status=400)
    context |= {"first": found.period.first, "last": found.period.last, **html_page.context(found)}
    return TemplateResponse(request, "monitoring/tca/page.html", context)


def _choice(request: HttpRequest) -> dict[str, Any]:
    """What the form shows."""
    asked = request.GET
    dated = asked.get("from") or asked.get("to")
    return {
        "title": "TCA report",
        "asked": asked,
        "same": asked.urlencode(),
        "first": asked.get("from", ""),
        "last": asked.get("to", ""),
        "periods": PERIODS,
        "period": "" if dated else asked.get("period", DEFAULT_PERIOD),
        "groupings": BY,
        "by": asked.get("by", DEFAULT_BY),
    }


def _report(request: HttpRequest) -> Report:
    asked = request.GET
    by = asked.get("by", DEFAULT_BY)
    if by not in BY:
        raise BadPeriod("by", f"must be one of {', '.join(BY)}, got {by!r}")
    return report.of(
        _period(request),
        by=by,
        account=asked.get("account", "").strip(),
        accounts=desks.accounts_of(request.user),
    )


def _period(request: HttpRequest) -> Period:
    asked, today = request.GET, exchange_day(Moment.read().now)
    name = asked.get("period", DEFAULT_PERIOD)
    return period.read(asked.get("from"), asked.get("to"), name, today=today)


def _file(make: Callable[[Report], str], ending: str, kind: str, name: str = "tca") -> Any:
    """The report that the page shows, to keep."""

    @require_safe
    @never_cache
    @permission_required(SEES, raise_exception=True)
    def view(request: HttpRequest) -> HttpResponse:
        try:
            found = _report(request)
        except BadPeriod as error:
            text = f"{error.field}: {error}"
            return HttpResponse(text, status=400, content_type="text/plain; charset=utf-8")
        answer = HttpResponse(make(found), content_type=f"{kind}; charset=utf-8")
        file = f"{name}-{found.period.first}-{found.period.last}.{ending}"
        answer.headers["Content-Disposition"] = f'attachment; filename="{file}"'
        return answer

    return view


def _html(found: Report) -> str:
    return html_page.text(found, at=Moment.read().now)


def _algorithms(found: Report) -> str:
    return replayed_csv.text(
        replayed.of(found.period, account=found.account, accounts=found.accounts)
    )


html_file = _file(_html, "html", "text/html")
csv_file = _file(csv_rows.text, "csv", "text/csv")
algorithms_csv_file = _file(_algorithms, "csv", "text/csv", "tca-algorithms")
