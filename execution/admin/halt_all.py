"""HALT ALL and its end: two pages that ask for a reason, and say what came of it."""

from collections.abc import Mapping

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.mixins import PermissionRequiredMixin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.views import View

from execution.access import desks
from execution.domain.lifecycle import ORDER_LIVE, SLICE_AT_BROKER
from execution.market import clock
from execution.models import Order, Slice, TradingState
from execution.risk import kill_switch

PERMISSION = "execution.change_tradingstate"


class ReasonForm(forms.Form):
    reason = forms.CharField(max_length=300, widget=forms.TextInput(attrs={"autofocus": True}))


class SystemStateView(PermissionRequiredMixin, View):
    """GET asks for the reason, POST sets the state of the whole system.

    Outside of a transaction, as a halt must be committed before it waits.
    """

    state = kill_switch.State.HALTED

    permission_required = PERMISSION
    raise_exception = True

    def get(self, request: HttpRequest) -> HttpResponse:
        return self._ask(request, ReasonForm())

    def post(self, request: HttpRequest) -> HttpResponse:
        form = ReasonForm(request.POST)
        if not form.is_valid():
            return self._ask(request, form)
        check(request, {"scope": TradingState.Scope.SYSTEM, "key": "", "state": self.state})
        try:
            report = kill_switch.change(
                scope=TradingState.Scope.SYSTEM,
                key="",
                state=self.state,
                by=request.user.get_username(),
                reason=form.cleaned_data["reason"],
                now=clock.now(),
            )
        except ValueError as error:
            form.add_error("reason", str(error))
            return self._ask(request, form)
        show(request, report)
        return HttpResponseRedirect(reverse("admin:index"))

    def _ask(self, request: HttpRequest, form: ReasonForm) -> HttpResponse:
        if desks.accounts_of(request.user) is not None:
            raise PermissionDenied
        halting = self.state == kill_switch.State.HALTED
        context = {
            **admin.site.each_context(request),
            "title": "Halt all trading" if halting else "Resume trading",
            "form": form,
            "halting": halting,
            "orders": Order.objects.filter(status__in=sorted(ORDER_LIVE)).count(),
            "children": Slice.objects.filter(status__in=sorted(SLICE_AT_BROKER)).count(),
        }
        return TemplateResponse(request, "admin/execution/tradingstate/system.html", context)


def urls() -> list[URLPattern]:
    halt = SystemStateView.as_view()
    resume = SystemStateView.as_view(state=kill_switch.State.ACTIVE)
    return [
        path("halt-all/", admin.site.admin_view(halt), name="execution_tradingstate_halt_all"),
        path(
            "resume-all/", admin.site.admin_view(resume), name="execution_tradingstate_resume_all"
        ),
    ]


def check(request: HttpRequest, wanted: Mapping[str, str]) -> None:
    """Raises PermissionDenied for a state that is not of the person's desks."""
    named = {name: wanted[name] for name in ("scope", "key", "state")}
    if not desks.may_set_state(request.user, **named):
        raise PermissionDenied("only accounts of your desks, and only halts unless you are Risk")


def show(request: HttpRequest, report: kill_switch.HaltReport) -> None:
    """What came of a change: orders concerned, sends drained, cancels confirmed."""
    halted = report.state.state == kill_switch.State.HALTED
    text = f"{report.state}: live orders in the scope: {len(report.orders)}"
    if halted:
        text += f", children not confirmed as ended: {report.unconfirmed}"
    messages.success(request, text)
    if warning := report.warning:
        messages.warning(request, warning)
    if not report.quiet:
        warning = "sends that began before are still under way: set the state again"
        messages.warning(request, warning)
    elif halted:
        messages.success(request, "sends drained: none is under way, and none can begin")
    if not report.cancels_enqueued:
        messages.warning(
            request, "Redis takes no message: the dispatcher cancels the children within seconds"
        )
