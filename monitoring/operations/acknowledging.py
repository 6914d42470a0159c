"""Acknowledging alerts in the back office: one or many, with a note of what is done about them."""

from collections.abc import Sequence

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.mixins import PermissionRequiredMixin
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.views import View

from execution.access import desks
from execution.admin.base import MOST_DIGITS, numbers_in
from monitoring.alerting import alerts
from monitoring.clocks import Moment
from monitoring.models import ACTIVE, Alert

PERMISSION = "monitoring.change_alert"
AT_ONCE = 500
SHOWN = 50


class NoteForm(forms.Form):
    """`alerts`: their numbers, separated by commas."""

    alerts = forms.CharField(widget=forms.HiddenInput, max_length=AT_ONCE * (MOST_DIGITS + 1))
    note = forms.CharField(
        max_length=300,
        help_text="what you have seen and do about it",
        widget=forms.TextInput(attrs={"autofocus": True}),
    )


class AcknowledgeView(PermissionRequiredMixin, View):
    """GET shows the alerts and asks for a note, POST acknowledges those that are still active."""

    permission_required = PERMISSION
    raise_exception = True

    def get(self, request: HttpRequest) -> HttpResponse:
        return ask(request, _ids(request.GET.get("alerts", "")))

    def post(self, request: HttpRequest) -> HttpResponse:
        ids, form = _ids(request.POST.get("alerts", "")), NoteForm(request.POST)
        if not form.is_valid():
            return ask(request, ids, form)
        own = desks.visible(Alert.objects.filter(pk__in=ids), request.user)
        count = alerts.acknowledge(
            list(own.values_list("pk", flat=True)),
            by=request.user.get_username(),
            moment=Moment.read(),
            note=form.cleaned_data["note"],
        )
        one = count == 1
        messages.success(request, f"{count} alert{'' if one else 's'} acknowledged.")
        return HttpResponseRedirect(reverse("admin:monitoring_alert_changelist"))


def urls() -> list[URLPattern]:
    view = admin.site.admin_view(AcknowledgeView.as_view())
    return [path("acknowledge/", view, name="monitoring_alert_acknowledge")]


def ask(request: HttpRequest, ids: Sequence[int], form: NoteForm | None = None) -> HttpResponse:
    active = Alert.objects.filter(ACTIVE, pk__in=ids).select_related("order")
    found = list(desks.visible(active, request.user))
    many = f"{len(found):,} alerts" if len(found) != 1 else f"alert {found[0].kind}"
    shown = {
        **admin.site.each_context(request),
        "title": f"Acknowledge {many}",
        "form": form or NoteForm(initial={"alerts": ",".join(map(str, ids))}),
        "alerts": found[:SHOWN],
        "count": len(found),
        "more": len(found) - SHOWN,
    }
    return TemplateResponse(request, "monitoring/operations/acknowledge.html", shown)


def _ids(text: str) -> list[int]:
    found = numbers_in(text, most=AT_ONCE)
    if not found:
        raise Http404("there are no such alerts")
    return found
