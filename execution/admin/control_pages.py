"""Cancel, pause and resume: a page says what will happen and asks for a reason before it does."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.mixins import PermissionRequiredMixin
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views import View

from execution.access import desks
from execution.admin import amend_page
from execution.admin.base import MOST_DIGITS, numbers_in
from execution.domain.lifecycle import ORDER_LIVE, ORDER_SENDING, OrderStatus
from execution.entry import order_controls
from execution.market import clock
from execution.models import Order
from execution.orders import queries

PERMISSION = "execution.cancel_order"
AT_ONCE = 500  # orders that one page controls
SHOWN = 50  # of them, by name


@dataclass(frozen=True, slots=True)
class Control:
    """What a person may do to orders of these statuses; `effects` are shown before it is done."""

    name: str
    of: frozenset[OrderStatus]
    act: Callable[..., Order]
    effects: Sequence[str]

    def concerns(self, order: Order) -> bool:
        return order.status in self.of


CONTROLS: Mapping[str, Control] = {
    control.name: control
    for control in (
        Control(
            "cancel",
            ORDER_LIVE - {OrderStatus.CANCELLING},
            order_controls.cancel,
            (
                "No further child order is sent, and those at the broker are cancelled.",
                "What they still execute meanwhile is booked.",
                "A cancelled order cannot be resumed: the open shares need a new order.",
            ),
        ),
        Control(
            "pause",
            ORDER_SENDING,
            order_controls.pause,
            (
                "No child order is sent until the order is resumed.",
                "Those at the broker are cancelled; their shares are sent again after the resume.",
                "The end of the order stays as it is: what is not executed by then is left.",
            ),
        ),
        Control(
            "resume",
            frozenset({OrderStatus.PAUSED}),
            order_controls.resume,
            (
                "Child orders are sent again from now on.",
                "What was missed is caught up without a burst, as far as there is time.",
            ),
        ),
    )
}


class ReasonForm(forms.Form):
    """`orders`: their numbers, separated by commas."""

    orders = forms.CharField(widget=forms.HiddenInput, max_length=AT_ONCE * (MOST_DIGITS + 1))
    back = forms.CharField(widget=forms.HiddenInput, required=False)
    reason = forms.CharField(max_length=300, widget=forms.TextInput(attrs={"autofocus": True}))


class ControlView(PermissionRequiredMixin, View):
    """GET asks for the reason, POST carries the control out. A POST sent twice finds nothing left
    to do the second time."""

    permission_required = PERMISSION
    raise_exception = True

    def get(self, request: HttpRequest, control: str) -> HttpResponse:
        if basket := request.GET.get("basket"):
            return _ask_of_basket(request, CONTROLS[control], basket)
        return ask(request, control, _ids(request.GET.get("orders", "")))

    def post(self, request: HttpRequest, control: str) -> HttpResponse:
        ids = _ids(request.POST.get("orders", ""))
        form = ReasonForm(request.POST)
        if not form.is_valid():
            return ask(request, control, ids, form=form)
        carry_out(request, CONTROLS[control], ids, form.cleaned_data["reason"])
        return HttpResponseRedirect(_way_back(request, ids, form.cleaned_data["back"]))


def allowed(request: HttpRequest) -> dict[str, bool]:
    """What the page of an order offers to its reader."""
    return {
        "may_control": request.user.has_perm(PERMISSION),
        "may_amend": request.user.has_perm(amend_page.PERMISSION),
    }


def urls() -> list[URLPattern]:
    view = admin.site.admin_view(ControlView.as_view())
    return [
        path(f"control/{name}/", view, {"control": name}, name=f"execution_order_{name}")
        for name in CONTROLS
    ]


def ask(
    request: HttpRequest,
    control: str,
    ids: Sequence[int],
    *,
    form: ReasonForm | None = None,
    back: str = "",
) -> HttpResponse:
    """The page for orders that exist; `back`: where a choice of many was made."""
    chosen = CONTROLS[control]
    orders = _own(request, ids)
    if not orders:
        raise Http404("there is no such order")
    concerned = [order for order in orders if chosen.concerns(order)]
    working = queries.working_children(order.pk for order in concerned)
    initial = {"orders": ",".join(map(str, ids)), "back": back}
    rows = [(order, working.get(order.pk), chosen.concerns(order)) for order in orders]
    shown = {
        **admin.site.each_context(request),
        "title": f"{control.capitalize()} {_named(orders)}",
        "address": reverse(f"admin:execution_order_{control}"),
        "control": chosen,
        "form": form or ReasonForm(initial=initial),
        "rows": rows[:SHOWN],
        "more": len(orders) - SHOWN,
        "concerned": len(concerned),
        "open_shares": sum(order.open_quantity for order in concerned),
        "children": sum(each.children for each in working.values()),
        "working_shares": sum(each.shares for each in working.values()),
        "back": _way_back(request, ids, form.data.get("back", "") if form else back),
    }
    return TemplateResponse(request, "admin/execution/order/control.html", shown)


def _own(request: HttpRequest, ids: Sequence[int]) -> list[Order]:
    own = desks.accounts_of(request.user)
    return [order for order in queries.orders(ids) if own is None or order.account in own]


def _ask_of_basket(request: HttpRequest, control: Control, basket: str) -> HttpResponse:
    """For the orders of a basket that the control concerns, so many at a time."""
    back = f"{reverse('basket')}?{urlencode({'name': basket})}"
    of = [str(status) for status in control.of]
    own = desks.visible(Order.objects.all(), request.user)
    concerned = own.filter(basket=basket, status__in=of).order_by("pk")
    ids = list(concerned.values_list("pk", flat=True)[: AT_ONCE + 1])
    if not ids:
        messages.warning(request, f"No order of the basket {basket} is left to {control.name}")
        return HttpResponseRedirect(back)
    if len(ids) > AT_ONCE:
        text = f"At most {AT_ONCE} orders at a time: {control.name} the basket again for the others"
        messages.warning(request, text)
    return ask(request, control.name, ids[:AT_ONCE], back=back)


def carry_out(request: HttpRequest, control: Control, ids: Sequence[int], reason: str) -> None:
    """Each order by itself, and what came of all of them."""
    now_in: dict[str, list[int]] = {}
    for order_id in ids:
        try:
            order = control.act(
                order_id, by=request.user.get_username(), now=clock.now(), reason=reason
            )
        except order_controls.NotAllowed as error:
            messages.warning(request, str(error))
        except Order.DoesNotExist:
            messages.error(request, f"there is no order {order_id}")
        else:
            now_in.setdefault(order.status, []).append(order.pk)
    for status, done in now_in.items():
        messages.success(request, f"{_numbered(done)} {status}{_still_working(done)}")


def _still_working(ids: Sequence[int]) -> str:
    children = sum(each.children for each in queries.working_children(ids).values())
    return f", children not confirmed as ended: {children}" if children else ""


def _numbered(ids: Sequence[int]) -> str:
    numbers = ", ".join(map(str, ids[:SHOWN]))
    if len(ids) == 1:
        return f"Order {numbers} is"
    more = len(ids) - SHOWN
    return f"Orders {numbers}{f' and {more} more' if more > 0 else ''} are"


def _named(orders: Sequence[Order]) -> str:
    return f"order {orders[0]}" if len(orders) == 1 else f"{len(orders):,} orders"


def _ids(text: str) -> list[int]:
    found = numbers_in(text, most=AT_ONCE)
    if not found:
        raise Http404("there are no such orders")
    return found


def _way_back(request: HttpRequest, ids: Sequence[int], back: str) -> str:
    if back and url_has_allowed_host_and_scheme(back, allowed_hosts={request.get_host()}):
        return back
    if len(ids) == 1:
        return reverse("admin:execution_order_change", args=ids)
    return reverse("admin:execution_order_changelist")
