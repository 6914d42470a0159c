"""Risk limits and the restricted list, kept by people who may; every change stays on record."""

from typing import Any, TypeVar

from django import forms
from django.contrib import admin, messages
from django.db import models
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from typing_extensions import override

from deepstack.config import current
from execution.admin import base
from execution.admin.base import ReadOnlyAdmin
from execution.admin.stale_pages import FreshForm
from execution.models import RestrictedSymbol, RiskLimit, RiskLimitChange, TradingState
from execution.risk import kill_switch, limits, second_person
from execution.risk.second_person import SecondPersonNeeded

M = TypeVar("M", bound=models.Model)
SHOWN = 20


class ByRisk:
    """One permission for all that bounds trading. Where two persons must agree, what is in force is
    taken away one by one, on its own page."""

    def _may(self, request: HttpRequest) -> bool:
        return request.user.has_perm("execution.change_risklimit")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self._may(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        several = obj is None and current().controls.four_eyes
        return self._may(request) and not several

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        row = self.get_object(request, object_id)  # type: ignore[attr-defined]
        if request.method == "POST" and row and self.has_delete_permission(request, row):
            subject = f"take away {row._meta.verbose_name} {row}"
            if (proposal := second_person.ask(subject, by=request.user.get_username())) is not None:
                messages.warning(request, str(SecondPersonNeeded(proposal)))
                return HttpResponseRedirect("../../")
        return super().delete_view(request, object_id, extra_context)  # type: ignore[misc,no-any-return]


def _clean_key(form: forms.ModelForm[Any], scope: str | None, key: str | None, field: str) -> None:
    """Once it is stored it cannot be changed, and is not in the form."""
    if scope is not None and key is not None:
        try:
            kill_switch.check_key(scope, key)
        except ValueError as error:
            form.add_error(field, str(error))


class LimitForm(FreshForm[RiskLimit]):
    by = ""  # who fills it in

    @override
    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        _clean_key(self, cleaned.get("scope"), cleaned.get("key"), "key")
        for name in self.fields.keys() & set(limits.FIELDS):
            self._clean_limit(name)
        if not self.errors:
            self._ask_a_second_person()
        return cleaned

    def _ask_a_second_person(self) -> None:
        """Of those limits that are raised or taken away; the others wait with them."""
        raised = [
            f"{name} {before or base.NOTHING} to {after if after is not None else base.NOTHING}"
            for name in limits.FIELDS
            if limits.loosens(
                before := self.initial.get(name), after := self.cleaned_data.get(name)
            )
        ]
        if not raised:
            return
        of = self.instance if self.instance.pk else ""
        proposal = second_person.ask(f"limits of {of}: {', '.join(raised)}", by=self.by)
        if proposal is not None:
            self.add_error(None, str(SecondPersonNeeded(proposal)))

    def _clean_limit(self, name: str) -> None:
        """As it was typed: Django's own fields read 1_0 as ten, and digits of any script."""
        typed = str(self.data.get(self.add_prefix(name)) or "").strip()
        try:
            limits.read_value(name, typed or None)
        except ValueError as error:
            if name not in self.errors:
                self.add_error(name, str(error))


class RestrictionForm(FreshForm[RestrictedSymbol]):
    @override
    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        _clean_key(self, TradingState.Scope.SYMBOL, cleaned.get("symbol"), "symbol")
        if cleaned.get("account"):
            _clean_key(self, TradingState.Scope.ACCOUNT, cleaned["account"], "account")
        return cleaned


def _warn_of_unknown_key(request: HttpRequest, scope: str, key: str) -> None:
    """What bounds nobody looks as if it did; an account's limits may be there before its orders."""
    if words := kill_switch.unknown_key(scope, key):
        messages.warning(request, f"Saved, but {words}")


def _changes(scope: str, key: str, **of: str) -> SafeString:
    rows = RiskLimitChange.objects.filter(scope=scope, key=key, **of)[:SHOWN]
    lines = (
        (
            base.exchange_time(row.changed_at_real),
            row.changed_by,
            row.field,
            row.before or base.NOTHING,
            row.after or base.NOTHING,
        )
        for row in rows
    )
    return format_html_join("", "<div>{}, {}: {} from {} to {}</div>", lines)


@admin.register(RiskLimit)
class RiskLimitAdmin(ByRisk, base.ExportedAdmin[RiskLimit]):
    form = LimitForm
    list_display = ("__str__", *limits.FIELDS)
    list_filter = ("scope",)
    search_fields = ("key",)
    fields = ("scope", "key", *limits.FIELDS, "changes")
    ordering = ("scope", "key")

    @override
    def get_form(
        self, request: HttpRequest, obj: RiskLimit | None = None, change: bool = False, **more: Any
    ) -> type[LimitForm]:
        form = super().get_form(request, obj, change, **more)
        return type("LimitForm", (form,), {"by": request.user.get_username()})

    @override
    def get_readonly_fields(
        self, request: HttpRequest, obj: RiskLimit | None = None
    ) -> tuple[str, ...]:
        return ("changes",) if obj is None else ("scope", "key", "changes")

    def changes(self, row: RiskLimit) -> SafeString:
        return _changes(row.scope, row.key)

    @override
    def save_model(self, request: HttpRequest, obj: RiskLimit, form: Any, change: bool) -> None:
        """Only what was changed here: somebody else may have changed the rest meanwhile."""
        changed = [name for name in limits.FIELDS if name in form.changed_data]
        values = {name: form.cleaned_data[name] for name in changed}
        by = request.user.get_username()
        row = limits.set_limits(scope=obj.scope, key=obj.key, values=values, by=by)
        obj.pk = row.pk
        _warn_of_unknown_key(request, row.scope, row.key)

    @override
    def delete_model(self, request: HttpRequest, obj: RiskLimit) -> None:
        limits.remove(obj, by=request.user.get_username())

    @override
    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[RiskLimit]) -> None:
        for row in queryset:
            self.delete_model(request, row)


@admin.register(RestrictedSymbol)
class RestrictedSymbolAdmin(ByRisk, base.ExportedAdmin[RestrictedSymbol]):
    form = RestrictionForm
    list_display = ("symbol", "account", "reason", "changed_by", "changed")
    search_fields = ("symbol", "account")
    fields = ("symbol", "account", "reason", "changes")
    ordering = ("symbol", "account")

    @override
    def get_readonly_fields(
        self, request: HttpRequest, obj: RestrictedSymbol | None = None
    ) -> tuple[str, ...]:
        return ("changes",) if obj is None else ("symbol", "account", "changes")

    @admin.display(description="changed", ordering="changed_at_real")
    def changed(self, row: RestrictedSymbol) -> str:
        return base.exchange_time(row.changed_at_real)

    def changes(self, row: RestrictedSymbol) -> SafeString:
        scope, key, field = limits.place_of(row)
        return _changes(scope, key, field=field)

    @override
    def save_model(
        self, request: HttpRequest, obj: RestrictedSymbol, form: Any, change: bool
    ) -> None:
        by = request.user.get_username()
        row = limits.restrict(symbol=obj.symbol, account=obj.account, reason=obj.reason, by=by)
        obj.pk = row.pk
        if row.account:  # a symbol that nobody has traded is what the list is for
            _warn_of_unknown_key(request, TradingState.Scope.ACCOUNT, row.account)

    @override
    def delete_model(self, request: HttpRequest, obj: RestrictedSymbol) -> None:
        by = request.user.get_username()
        limits.lift(symbol=obj.symbol, account=obj.account, by=by)

    @override
    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[RestrictedSymbol]) -> None:
        for row in queryset:
            self.delete_model(request, row)


@admin.register(RiskLimitChange)
class RiskLimitChangeAdmin(ReadOnlyAdmin[RiskLimitChange]):
    list_display = ("changed", "scope", "key", "field", "before", "after", "changed_by")
    list_filter = ("scope", "field", "changed_by")
    search_fields = ("key",)
    date_hierarchy = "changed_at_real"

    @admin.display(description="changed", ordering="changed_at_real")
    def changed(self, row: RiskLimitChange) -> str:
        return base.exchange_time(row.changed_at_real)
