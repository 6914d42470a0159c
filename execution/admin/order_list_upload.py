"""A file of orders: read whole, shown order by order, and sent whole or not at all."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.mixins import PermissionRequiredMixin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.views import View

from execution import context
from execution.admin import base
from execution.admin.ticket import PERMISSION
from execution.context import Context
from execution.domain import order_file
from execution.domain.lifecycle import OrderStatus
from execution.domain.order_file import Line
from execution.domain.signal import FIELDS, NAME, NAME_WORDS, InvalidSignal
from execution.entry import acceptance, baskets, readiness, submission
from execution.models import Order

BASKET = rf"\A{NAME.pattern}\Z"
SHOWN = 200  # orders of a preview by name
EXAMPLE = (
    "symbol,side,quantity,algorithm,window_minutes\nAAPL,BUY,400,TWAP,30\nKO,SELL,900,VWAP,60\n"
)


class FileForm(forms.Form):
    file = forms.FileField(
        label="File",
        help_text=f"comma-separated, at most {order_file.MOST_ORDERS:,} orders",
        widget=base.FileInput(attrs={"accept": ".csv,text/csv"}),
    )

    basket = forms.RegexField(
        BASKET,
        required=False,
        strip=True,
        help_text="a name to find these orders by; left empty, one is made",
        error_messages={"invalid": f"must be {NAME_WORDS}"},
    )


class AcceptForm(forms.Form):
    """What was shown. `upload` stands for the references that were not given: the same upload
    sent twice is the same orders."""

    text = forms.CharField(widget=forms.HiddenInput, strip=False, max_length=order_file.MOST_BYTES)
    upload = forms.RegexField(r"^list-[0-9a-f]{12}$", widget=forms.HiddenInput)
    basket = forms.RegexField(BASKET, required=False, widget=forms.HiddenInput)


class UploadView(PermissionRequiredMixin, View):
    """GET asks for a file; POST with one shows its orders, POST of what was shown sends them."""

    permission_required = PERMISSION
    raise_exception = True

    def get(self, request: HttpRequest) -> HttpResponse:
        return _page(request, form=FileForm())

    def post(self, request: HttpRequest) -> HttpResponse:
        if "text" in request.POST:
            return self._accept(request)
        form = FileForm(request.POST, request.FILES)
        if not form.is_valid():
            return _page(request, form=form)
        content = form.cleaned_data["file"].read(order_file.MOST_BYTES + 1)
        upload = baskets.new_name()
        try:
            lines, orders = _read(content, upload, acceptance.preview_all)
        except InvalidSignal as error:
            return _page(request, form=FileForm(), errors=error)
        kept = AcceptForm(
            initial={
                "text": content.decode("utf-8-sig"),
                "upload": upload,
                "basket": form.cleaned_data["basket"] or upload,
            }
        )
        return _page(request, kept=kept, **_preview(lines, orders))

    def _accept(self, request: HttpRequest) -> HttpResponse:
        kept = AcceptForm(request.POST)
        if not kept.is_valid():
            again = InvalidSignal({"file": "was not shown by this page: choose it again"})
            return _page(request, form=FileForm(), errors=again)
        text, upload = kept.cleaned_data["text"], kept.cleaned_data["upload"]
        accept = partial(acceptance.accept_all, basket=kept.cleaned_data["basket"] or upload)
        try:
            _, orders = _read(text.encode(), upload, accept)
        except InvalidSignal as error:
            return _page(request, form=FileForm(), errors=error)
        _say(request, orders)
        return HttpResponseRedirect(_page_of(orders))


def urls() -> list[URLPattern]:
    view = admin.site.admin_view(UploadView.as_view())
    return [path("upload/", view, name="execution_order_upload")]


def _page_of(orders: Sequence[Order]) -> str:
    """Of the basket; of all orders where the file spread them over several."""
    if name := baskets.shared(orders):
        return f"{reverse('basket')}?{urlencode({'name': name})}"
    return reverse("admin:execution_order_changelist")


def _read(
    content: bytes,
    upload: str,
    ask: Callable[[Sequence[Mapping[str, object]], Context], list[Order]],
) -> tuple[Sequence[Line], list[Order]]:
    """The lines of a file and their orders. Raises InvalidSignal that names lines."""
    lines = order_file.read(content)
    signals = [{"client_reference": f"{upload}-{line.number}", **line.values} for line in lines]
    try:
        return lines, ask(signals, context.default())
    except InvalidSignal as error:
        raise order_file.by_line(error, lines) from None
    except readiness.NOT_NOW as error:
        raise InvalidSignal({"file": readiness.words(error)}) from None


def _preview(lines: Sequence[Line], orders: Sequence[Order]) -> Mapping[str, Any]:
    denied = sum(order.status == OrderStatus.DENIED for order in orders)
    numbered = [(line.number, order) for line, order in zip(lines, orders, strict=True)]
    numbered.sort(key=lambda each: each[1].status != OrderStatus.DENIED)  # what is wrong first
    return {
        "rows": numbered[:SHOWN],
        "more": len(orders) - SHOWN,
        "count": len(orders),
        "denied": denied,
        "values": _values(orders),
    }


def _values(orders: Sequence[Order]) -> Mapping[str, Decimal]:
    """Dollars by side, of the orders that would be accepted and whose value is known."""
    totals: dict[str, Decimal] = {}
    for order in orders:
        if notional := order.routing.get("notional"):
            totals[order.side] = totals.get(order.side, Decimal(0)) + Decimal(notional)
    return totals


def _page(
    request: HttpRequest, *, errors: InvalidSignal | None = None, **shown: Any
) -> HttpResponse:
    whole = {
        **admin.site.each_context(request),
        "title": "Orders from a file",
        "errors": errors,
        "example": EXAMPLE,
        "fields": ", ".join(sorted(FIELDS)),
        **shown,
    }
    return TemplateResponse(request, "admin/execution/order/upload.html", whole)


def _say(request: HttpRequest, orders: Sequence[Order]) -> None:
    counts = Counter(order.status for order in orders)
    denied = counts.pop(OrderStatus.DENIED, 0)
    if stored := sum(counts.values()):
        messages.success(request, f"{stored:,} of {len(orders):,} orders accepted")
    if denied:
        messages.error(request, f"{denied:,} of {len(orders):,} orders denied: their pages say why")
    if words := submission.concern():
        messages.warning(request, words)
