"""Changing a live order's terms: typed, then shown with their effect, then confirmed."""

from datetime import datetime
from decimal import Decimal

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.mixins import PermissionRequiredMixin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.views import View

from execution import context
from execution.access import desks
from execution.admin import base
from execution.domain import figures
from execution.domain.exchange_time import exchange_time
from execution.domain.signal import InvalidSignal
from execution.entry import amend, readiness
from execution.entry.order_controls import NotAllowed
from execution.models import Order

PERMISSION = "execution.submit_order"
TERMS = ("quantity", "end_at", "limit_price")
TIME = "%Y-%m-%d %H:%M:%S"
BPS = Decimal(10_000)


class TermsForm(forms.Form):
    """What may be amended, and what it was when the page was opened. Quantity and limit are read
    by the signal's rules; what stays as it was is not part of the amendment."""

    quantity = forms.CharField(required=False, help_text="shares, all of the order")
    end_at = forms.DateTimeField(
        required=False,
        label="End",
        input_formats=[TIME, "%Y-%m-%d %H:%M"],
        help_text="exchange time (ET, New York)",
    )
    limit_price = forms.CharField(
        required=False, help_text="dollars; no child is sent beyond it. It cannot be taken away"
    )
    reason = forms.CharField(max_length=300)
    version = forms.IntegerField(widget=forms.HiddenInput, min_value=0, max_value=2**31 - 1)

    def values(self) -> dict[str, object]:
        """In the words typed; an empty one stays as it is."""
        end = self.cleaned_data["end_at"]
        typed = {**self.cleaned_data, "end_at": end.isoformat() if end else ""}
        return {name: typed[name] for name in TERMS if typed[name]}

    def changes(self, order: Order) -> dict[str, str]:
        """The terms that were typed otherwise than the order has them, as they are typed."""
        shown, end = terms_of(order), self.cleaned_data["end_at"]
        typed = {**self.cleaned_data, "end_at": end.strftime(TIME) if end else ""}
        return {name: typed[name] for name in TERMS if typed[name] not in ("", shown[name])}

    def refuse(self, error: InvalidSignal) -> None:
        for name, text in error.errors.items():
            self.add_error(name if name in self.fields else None, text)


class AmendView(PermissionRequiredMixin, View):
    """GET shows the terms; POST shows their effect, and with `confirm` amends the order. The same
    POST twice is one amendment; one made for an order that has changed since is refused."""

    permission_required = PERMISSION
    raise_exception = True

    def get(self, request: HttpRequest, order_id: int) -> HttpResponse:
        order = _own(request, order_id)
        return _page(request, order, TermsForm(initial=terms_of(order)))

    def post(self, request: HttpRequest, order_id: int) -> HttpResponse:
        order = _own(request, order_id)
        form = TermsForm(request.POST)
        if "edit" in request.POST:
            typed = {name: text for name, text in request.POST.items() if text}
            return _page(request, order, TermsForm(initial=terms_of(order) | typed))
        if not form.is_valid():
            return _page(request, order, form)
        try:
            return (
                _amend(request, order, form)
                if "confirm" in request.POST
                else _effect(request, order, form)
            )
        except amend.StaleVersion:
            return _stale(request, order)
        except InvalidSignal as error:
            form.refuse(error)
        except NotAllowed as error:
            form.add_error(None, str(error))
        except readiness.NOT_NOW as error:
            form.add_error(None, readiness.words(error))
        return _page(request, order, form)


def _own(request: HttpRequest, order_id: int) -> Order:
    return get_object_or_404(desks.visible(Order.objects.all(), request.user), pk=order_id)


def urls() -> list[URLPattern]:
    view = admin.site.admin_view(AmendView.as_view())
    return [path("<int:order_id>/amend/", view, name="execution_order_amend")]


def terms_of(order: Order) -> dict[str, str]:
    """As they are typed."""
    limit = order.limit_price
    return {
        "quantity": str(order.quantity),
        "end_at": timezone.localtime(order.end_at).strftime(TIME),
        "limit_price": "" if limit is None else f"{limit.normalize():f}",
        "version": str(order.version),
    }


def _effect(request: HttpRequest, order: Order, form: TermsForm) -> HttpResponse:
    """The page to confirm. It holds the changed terms alone, so that it means the same later."""
    changed = form.changes(order)
    version = form.cleaned_data["version"]
    kept = TermsForm({**changed, "version": version, "reason": form.cleaned_data["reason"]})
    kept.is_valid()
    seen = amend.effect(order.pk, kept.values(), version=version, context=context.default())
    return _page(request, order, kept, seen)


def _amend(request: HttpRequest, order: Order, form: TermsForm) -> HttpResponse:
    amended = amend.amend(
        order.pk,
        form.values(),
        version=form.cleaned_data["version"],
        by=request.user.get_username(),
        context=context.default(),
        reason=form.cleaned_data["reason"],
    )
    terms = terms_of(amended)
    limit = f", limit {terms['limit_price']}" if terms["limit_price"] else ""
    messages.success(
        request,
        f"Order {amended.pk} is amended: {amended.quantity:,} shares until {terms['end_at']} ET"
        f"{limit}. Version {amended.version}",
    )
    return HttpResponseRedirect(reverse("admin:execution_order_change", args=[order.pk]))


def _stale(request: HttpRequest, order: Order) -> HttpResponse:
    messages.warning(
        request,
        f"Nothing was amended: order {order.pk} was changed by somebody else since this page was "
        "opened. Here are its terms as they are now",
    )
    return HttpResponseRedirect(reverse("admin:execution_order_amend", args=[order.pk]))


def _page(
    request: HttpRequest, order: Order, form: TermsForm, seen: amend.Effect | None = None
) -> HttpResponse:
    shown = {
        **admin.site.each_context(request),
        "title": f"Amend order {order}",
        "order": order,
        "form": form,
        "seen": seen,
        "rows": _rows(seen) if seen else [],
    }
    return TemplateResponse(request, "admin/execution/order/amend.html", shown)


def _rows(seen: amend.Effect) -> list[tuple[str, str, str]]:
    """What it is about, as it is and as it would be."""
    order, change, before, after = seen.order, seen.change, seen.before, seen.after
    price = _price_per_share(seen)
    return [
        ("Quantity", f"{order.quantity:,}", f"{change.quantity or order.quantity:,}"),
        ("End", exchange_time(order.end_at), exchange_time(change.end_at or order.end_at)),
        (
            "Limit price",
            base.price(order.limit_price),
            base.price(change.limit_price or order.limit_price),
        ),
        ("Shares still to be sent", f"{before.shares:,}", f"{after.shares:,}"),
        ("Slices still to be sent", f"{before.slices:,}", f"{after.slices:,}"),
        ("First of them due", _due(before.first_due), _due(after.first_due)),
        ("Last of them due", _due(before.last_due), _due(after.last_due)),
        ("Their expected cost", _cost(before, price), _cost(after, price)),
    ]


def _due(at: datetime | None) -> str:
    return base.NOTHING if at is None else exchange_time(at)


def _price_per_share(seen: amend.Effect) -> Decimal | None:
    notional = seen.routing.get("notional")
    return Decimal(notional) / seen.after.shares if notional and seen.after.shares else None


def _cost(rest: amend.Outline, price: Decimal | None) -> str:
    if rest.cost_bps is None:
        return base.NOTHING
    cost = f"{figures.signed(rest.cost_bps)} bps"
    if price is None:
        return cost
    return f"{cost}, {Decimal(rest.cost_bps) * rest.shares * price / BPS:,.2f} dollars"
