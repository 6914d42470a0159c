"""The order ticket: one signal typed by a person, priced every way before it is sent."""

from collections.abc import Mapping
from datetime import datetime
from uuid import uuid4

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.mixins import PermissionRequiredMixin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.views import View

from execution import context
from execution.domain.algorithms.registry import ALGOS
from execution.domain.exchange_time import exchange_time
from execution.domain.lifecycle import OrderStatus
from execution.domain.signal import RESIDUALS, SIDES, URGENCIES, InvalidSignal
from execution.entry import acceptance, readiness, references, submission
from execution.entry.preview import Preview, preview
from execution.entry.references import ReferenceConflict
from execution.models import Order

PERMISSION = "execution.submit_order"
DECIDE = "decided by the service"


def _choice(known: Mapping[str, object] | tuple[str, ...], empty: str) -> forms.CharField:
    """Checked by the signal's own rules, like every other field."""
    choices = [(each, each) for each in known]
    return forms.CharField(required=False, widget=forms.Select(choices=[("", empty), *choices]))


def _text(help_text: str = "") -> forms.CharField:
    return forms.CharField(required=False, strip=True, help_text=help_text)


class TicketForm(forms.Form):
    """Reads nothing itself: what was typed goes to the signal's rules as it is."""

    symbol = _text()
    side = _choice(SIDES, "choose")
    quantity = _text("shares")
    algorithm = _choice(ALGOS, DECIDE)
    urgency = _choice(URGENCIES, DECIDE)
    window_minutes = _text("how long it may take")
    limit_price = _text("dollars; no child is sent beyond it")
    decision_price = _text("dollars; the price that you decided on")
    average_daily_volume = _text("shares")
    slices = _text()
    max_participation = _text("the largest share of the market's volume, such as 0.1")
    participation = _text("POV: the share that it goes by; else 0.1, or the largest")
    residual = _choice(RESIDUALS, DECIDE)
    account = _text()
    strategy = _text()
    basket = _text("a name for orders that belong together")
    client_reference = _text("the same reference again is the same order")
    # Stands for a reference that was not given: the same ticket sent twice is one order.
    ticket = forms.CharField(widget=forms.HiddenInput)

    def signal(self) -> dict[str, str]:
        """What was filled in, in the words typed."""
        given = {name: text for name, text in self.cleaned_data.items() if text}
        ticket = given.pop("ticket")
        return {"client_reference": ticket, **given}

    def of_another_order(self, error: ReferenceConflict) -> "TicketForm":
        """As it was typed, after the way back in a browser from a ticket that had been sent: what
        is sent next is another order."""
        again = TicketForm({**self.cleaned_data, "ticket": _new_ticket()})
        again.is_valid()
        said = error.errors["client_reference"].removesuffix(references.ELSE)
        again.add_error(
            None,
            f"Nothing was sent: this ticket {said} Send it once more for an order of its own,"
            " or amend that one",
        )
        return again

    def refuse(self, error: InvalidSignal) -> None:
        """Each sentence beside its field."""
        for name, text in error.errors.items():
            self.add_error(name if name in self.fields else None, text)


class TicketView(PermissionRequiredMixin, View):
    """GET shows an empty ticket; POST with `preview` prices it, else sends it."""

    permission_required = PERMISSION
    raise_exception = True

    def get(self, request: HttpRequest) -> HttpResponse:
        return _page(request, TicketForm(initial={"ticket": _new_ticket()}))

    def post(self, request: HttpRequest) -> HttpResponse:
        form = TicketForm(request.POST)
        if not form.is_valid():
            return _page(request, form)
        try:
            if "preview" in request.GET:
                return _priced(request, preview(form.signal(), context.default()))
            order = acceptance.accept(form.signal(), context.default())
        except InvalidSignal as error:
            if isinstance(error, ReferenceConflict) and not form.cleaned_data["client_reference"]:
                return _page(request, form.of_another_order(error))
            form.refuse(error)
            name = "refused" if "preview" in request.GET else "page"
            return _page(request, form, name)
        except readiness.NOT_NOW as error:
            form.add_error(None, readiness.words(error))
            return _page(request, form, "refused" if "preview" in request.GET else "page")
        _say(request, order)
        return HttpResponseRedirect(reverse("admin:execution_order_change", args=[order.pk]))


def urls() -> list[URLPattern]:
    view = admin.site.admin_view(TicketView.as_view())
    return [path("new/", view, name="execution_order_ticket")]


def _new_ticket() -> str:
    return f"ticket-{uuid4()}"


def _page(request: HttpRequest, form: TicketForm, name: str = "page") -> HttpResponse:
    shown = {**admin.site.each_context(request), "title": "New order", "form": form}
    return TemplateResponse(request, f"admin/execution/order/ticket_{name}.html", shown)


def _priced(request: HttpRequest, seen: Preview) -> HttpResponse:
    ways = [
        {
            **each,
            "finish": exchange_time(datetime.fromisoformat(each["finish"])),
            "chosen": each["algorithm"] == seen["algorithm"],
            "percent": None if each["participation"] is None else 100 * each["participation"],
        }
        for each in seen["alternatives"]
    ]
    end = exchange_time(datetime.fromisoformat(seen["end_at"]))
    shown = {"seen": seen, "ways": ways, "end": end}
    return TemplateResponse(request, "admin/execution/order/ticket_priced.html", shown)


def _say(request: HttpRequest, order: Order) -> None:
    if order.status == OrderStatus.DENIED:
        messages.error(request, f"Order {order.pk} was denied: {order.status_reason}")
    else:
        messages.success(request, f"Order {order.pk} accepted: {order}")
    if words := submission.concern():
        messages.warning(request, words)
