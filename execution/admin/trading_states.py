"""Trading states, which change through one call alone, and the signs of life."""

from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from typing_extensions import override

from execution import heartbeat
from execution.access import desks
from execution.admin import base, halt_all
from execution.admin.base import ReadOnlyAdmin
from execution.market import clock
from execution.models import BrokerCursor, BrokerLink, Heartbeat, TradingState, TradingStateChange
from execution.risk import kill_switch


class StateForm(forms.Form):
    scope = forms.ChoiceField(choices=TradingState.Scope.choices)
    key = forms.CharField(
        max_length=64, required=False, help_text="the account, strategy or symbol; none for SYSTEM"
    )
    state = forms.ChoiceField(
        choices=TradingState.State.choices,
        help_text="HALTED stops all sends in the scope at once and cancels what works there",
    )
    reason = forms.CharField(max_length=300)


@admin.register(TradingState)
class TradingStateAdmin(ReadOnlyAdmin[TradingState]):
    change_list_template = "admin/execution/tradingstate/change_list.html"
    list_display = ("scope", "key", "coloured", "reason", "changed_by", "changed")
    list_filter = ("state", "scope")
    search_fields = ("key",)

    @admin.display(description="state", ordering="state")
    def coloured(self, row: TradingState) -> SafeString:
        return base.badge(row.state)

    @admin.display(description="changed", ordering="changed_at_real")
    def changed(self, row: TradingState) -> str:
        return base.exchange_time(row.changed_at_real)

    @admin.display(description="")
    def change(self, row: TradingState) -> SafeString:
        query = urlencode({"scope": row.scope, "key": row.key})
        return format_html(
            '<a href="{}?{}">change</a>', reverse("admin:execution_tradingstate_set"), query
        )

    @override
    def get_list_display(self, request: HttpRequest) -> Any:
        """With a link for whoever lifts halts, too."""
        shown = super().get_list_display(request)
        return [*shown, "change"] if request.user.has_perm(desks.SET_STATES) else shown

    @override
    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = {"may_set": _may_set(request), **(extra_context or {})}
        return super().changelist_view(request, context)

    @override
    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.set_view)
        own = path("set/", view, name="execution_tradingstate_set")
        return [own, *halt_all.urls(), *super().get_urls()]

    def set_view(self, request: HttpRequest) -> HttpResponse:
        """Outside of a transaction, as a halt must be committed before it waits."""
        if not _may_set(request):
            raise PermissionDenied
        form = StateForm(request.POST or None, initial=request.GET.dict())
        if form.is_valid():
            try:
                halt_all.check(request, form.cleaned_data)
                report = kill_switch.change(
                    **form.cleaned_data, by=request.user.get_username(), now=clock.now()
                )
            except ValueError as error:
                form.add_error("key", str(error))
            else:
                halt_all.show(request, report)
                return HttpResponseRedirect(reverse("admin:execution_tradingstate_changelist"))
        context = {
            **self.admin_site.each_context(request),
            "title": "Set a trading state",
            "opts": self.opts,
            "form": form,
        }
        return TemplateResponse(request, "admin/execution/tradingstate/set.html", context)


def _may_set(request: HttpRequest) -> bool:
    return desks.sets_some_state(request.user)


@admin.register(TradingStateChange)
class TradingStateChangeAdmin(ReadOnlyAdmin[TradingStateChange]):
    list_display = (
        "changed",
        "scope",
        "key",
        "before",
        "after",
        "changed_by",
        "changed_via",
        "reason",
    )
    list_filter = ("scope", "after", "changed_by", "changed_via")
    search_fields = ("key", "reason")
    date_hierarchy = "changed_at_real"

    @admin.display(description="changed", ordering="changed_at_real")
    def changed(self, row: TradingStateChange) -> str:
        return base.exchange_time(row.changed_at_real)


@admin.register(Heartbeat)
class HeartbeatAdmin(ReadOnlyAdmin[Heartbeat]):
    list_display = ("kind", "process", "alive", "seen", "started", "detail")
    list_filter = ("kind",)
    ordering = ("-seen_at_real",)

    @admin.display(description="seen", ordering="seen_at_real")
    def seen(self, row: Heartbeat) -> str:
        return base.exchange_time(row.seen_at_real)

    @admin.display(description="started", ordering="started_at_real")
    def started(self, row: Heartbeat) -> str:
        return base.exchange_time(row.started_at_real)

    @admin.display(boolean=True)
    def alive(self, row: Heartbeat) -> bool:
        return heartbeat.seen_lately().filter(pk=row.pk).exists()


@admin.register(BrokerCursor)
class BrokerCursorAdmin(ReadOnlyAdmin[BrokerCursor]):
    list_display = ("broker", "account", "heard_until")


@admin.register(BrokerLink)
class BrokerLinkAdmin(ReadOnlyAdmin[BrokerLink]):
    list_display = ("broker", "address", "up", "reason", "changed", "seen", "process")

    @admin.display(description="since", ordering="since")
    def changed(self, row: BrokerLink) -> str:
        return base.exchange_time(row.since)

    @admin.display(description="seen", ordering="seen_at")
    def seen(self, row: BrokerLink) -> str:
        return base.exchange_time(row.seen_at)
