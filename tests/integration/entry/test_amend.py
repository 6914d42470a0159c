"""Amending a live order: versioned, idempotent, never below what is filled or working."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from execution import context as contexts
from execution.booking import completion
from execution.context import Context
from execution.domain.exchange_time import exchange_time
from execution.domain.lifecycle import SLICE_CLAIMABLE, SliceStatus
from execution.domain.signal import InvalidSignal
from execution.entry import amend, order_controls
from execution.entry.order_controls import NotAllowed
from execution.models import Order
from execution.risk import kill_switch
from tests.integration.order_steps import claim, execution, new_order, receive, report, working
from tests.integration.rebuild import assert_audit_trail_matches

pytestmark = pytest.mark.django_db


def change(order: Order, *, version: int = 1, **values: object) -> Order:
    return amend.amend(order.pk, values, version=version, by="trader", context=contexts.default())


def partly_worked() -> Order:
    """1,000 shares in 5 slices; the first is filled, the second works with 50 of 200 done."""
    order = new_order()
    for sequence, done in ((0, 200), (1, 50)):
        intent = claim(order.slices.get(sequence=sequence))
        assert intent is not None
        status = SliceStatus.FILLED if done == 200 else SliceStatus.WORKING
        receive(intent, report(intent, status, [execution(intent, "0", done)]))
    order.refresh_from_db()
    assert (order.filled_quantity, working(order)) == (250, 150)
    return order


def unsent(order: Order) -> int:
    parts = order.slices.filter(status__in=SLICE_CLAIMABLE)
    return sum(part.planned_quantity for part in parts)


@pytest.mark.parametrize("quantity", [400, 401, 999, 1_000, 5_000])
def test_the_rest_is_planned_anew_to_the_new_quantity(quantity: int) -> None:
    order = change(partly_worked(), quantity=quantity)
    assert (order.quantity, order.version) == (quantity, 2)
    assert order.filled_quantity + working(order) + unsent(order) == quantity
    last = order.slices.order_by("-sequence").first()
    assert last is not None
    assert unsent(order) == 0 or last.cumulative_quantity == quantity
    assert_audit_trail_matches(order)


def test_a_new_end_and_limit_hold_for_what_has_not_left() -> None:
    order = partly_worked()
    end: datetime = order.end_at + timedelta(hours=1)
    order = change(order, end_at=end, limit_price="149.50")
    assert (order.end_at, order.limit_price) == (end, Decimal("149.50"))
    assert all(part.end_at <= end for part in order.slices.filter(status__in=SLICE_CLAIMABLE))
    assert unsent(order) == 600
    assert_audit_trail_matches(order)


def test_amended_to_what_is_executed_the_order_ends_with_its_working_child() -> None:
    order = change(partly_worked(), quantity=400)
    intent_slice = order.slices.get(sequence=1)
    assert unsent(order) == 0
    assert not order.is_terminal
    assert intent_slice.leaves == 150


def test_the_same_amendment_twice_is_one() -> None:
    order = partly_worked()
    change(order, quantity=700)
    again = change(order, quantity=700)
    assert again.version == 2
    assert order.events.filter(kind="ORDER_AMENDED").count() == 1


END = timedelta(hours=11)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        pytest.param({"quantity": 5_000}, {"limit_price": "150"}, id="what it was already"),
        pytest.param({"limit_price": "151", "quantity": 5_000}, {"limit_price": "151"}, id="more"),
        pytest.param({"limit_price": "151", "quantity": 900}, {"quantity": 900}, id="a limit"),
        pytest.param({"end_at": END, "quantity": 900}, {"quantity": 900}, id="an end"),
    ],
)
def test_an_amendment_of_somebody_else_is_not_taken_for_ones_own(
    theirs: dict[str, Any], ours: dict[str, Any]
) -> None:
    order = new_order(limit_price="150")
    now = order.created_at
    change(order, **{k: now + v if isinstance(v, timedelta) else v for k, v in theirs.items()})
    with pytest.raises(amend.StaleVersion, match="has version 2, not 1: read it again"):
        change(order, **ours)


@pytest.mark.parametrize("values", [{"quantity": 1_500}, {"limit_price": "151"}])
def test_an_order_that_has_not_begun_keeps_its_start_when_it_is_amended(
    values: dict[str, object],
) -> None:
    start = contexts.default().now() + timedelta(hours=3)
    order = change(new_order(start_at=start), **values)
    assert order.start_at == start
    unsent_parts = order.slices.filter(status__in=SLICE_CLAIMABLE)
    assert unsent(order) == order.quantity
    assert all(part.due_at >= start for part in unsent_parts)


def test_an_end_before_the_start_of_an_order_is_refused() -> None:
    start = contexts.default().now() + timedelta(hours=3)
    order = new_order(start_at=start)
    with pytest.raises(InvalidSignal, match="end_at: must be after start_at"):
        change(order, end_at=(start - timedelta(minutes=1)).isoformat())


BOUNDS: dict[str, object] = {
    "max_open_orders": 1,
    "max_orders_per_minute": 1,
    "max_position": 1_000,
    "max_order_quantity": 1_000,
    "max_order_notional": Decimal("1.05"),  # times the value of 1,000 shares
    "duplicate_seconds": 3_600.0,
    "max_adv_share": Decimal("0.1"),
}


def value_of_order() -> Decimal:
    """1,000 shares at the dearest of their market, decision and limit prices."""
    context = contexts.default()
    quote = context.market.quote("AAPL", context.now())
    assert quote is not None
    return 1_000 * max(quote.ask, Decimal("150.60"))


def bounded(**values: Any) -> Context:
    context = contexts.default()
    if "max_order_notional" in values:
        values |= {"max_order_notional": values["max_order_notional"] * value_of_order()}
    bounds = context.config.limits.model_copy(update=values)
    return replace(context, config=context.config.model_copy(update={"limits": bounds}))


@pytest.mark.parametrize("make", [new_order, partly_worked], ids=["unsent", "partly worked"])
@pytest.mark.parametrize("bound", [*BOUNDS, "all"])
def test_an_amendment_does_not_count_against_itself(make: Callable[[], Order], bound: str) -> None:
    values = BOUNDS if bound == "all" else {bound: BOUNDS[bound]}
    order = make()
    Order.objects.filter(pk=order.pk).update(average_daily_volume=10_000)
    context = bounded(**values)
    for version, limit in enumerate(("150.50", "150.60"), start=1):
        amend.amend(order.pk, {"limit_price": limit}, version=version, by="trader", context=context)
    order.refresh_from_db()
    assert (order.version, order.limit_price) == (3, Decimal("150.60"))


@pytest.mark.parametrize(
    ("bound", "code"),
    [
        ("max_order_quantity", "QUANTITY_EXCEEDS_MAX"),
        ("max_order_notional", "NOTIONAL_EXCEEDS_MAX"),
        ("max_adv_share", "ADV_SHARE_EXCEEDS_MAX"),
        ("max_position", "POSITION_EXCEEDS_MAX"),
    ],
)
def test_a_limit_holds_for_the_whole_order_that_an_amendment_makes(bound: str, code: str) -> None:
    """400 of 1,000 are filled or working: a rest of 700 alone would pass."""
    order = partly_worked()
    Order.objects.filter(pk=order.pk).update(average_daily_volume=10_000)
    context = bounded(**{bound: BOUNDS[bound]})
    with pytest.raises(NotAllowed, match=code):
        amend.amend(order.pk, {"quantity": 1_100}, version=1, by="trader", context=context)


EASIER: list[dict[str, Any]] = [
    {"limit_price": "149.50"},
    {"limit_price": "149.50", "quantity": 1_000},
    {"quantity": 700},
    {"quantity": 700, "limit_price": "149.40"},
]
HARDER: list[dict[str, Any]] = [
    {"quantity": 1_001},
    {"limit_price": "150.01"},
    {"quantity": 700, "limit_price": "150.01"},
]


def halt(scope: str, key: str) -> None:
    at = contexts.default().now()
    kill_switch.change(scope=scope, key=key, state="HALTED", reason="x", by="risk", now=at)


@pytest.mark.parametrize(
    ("scope", "key"),
    [("SYSTEM", ""), ("SYMBOL", "AAPL"), ("ACCOUNT", "default"), ("STRATEGY", "momentum")],
)
def test_what_is_halted_can_be_asked_for_less_and_not_for_more(scope: str, key: str) -> None:
    order = new_order(limit_price="150.00", strategy="momentum")
    halt(scope, key)
    for values in HARDER:
        with pytest.raises(NotAllowed, match="TRADING_HALTED"):
            change(order, **values)
    later = order.end_at + timedelta(hours=1)
    for version, values in enumerate((*EASIER, {"end_at": later}), start=1):
        order = change(order, version=version, **values)
    assert (order.quantity, order.limit_price, order.end_at) == (700, Decimal("149.40"), later)
    assert unsent(order) == 700
    assert_audit_trail_matches(order)


def test_the_limit_of_a_sale_is_eased_upwards() -> None:
    order = new_order(side="SELL", limit_price="150.00")
    halt("SYSTEM", "")
    with pytest.raises(NotAllowed, match="TRADING_HALTED"):
        change(order, limit_price="149.99")
    assert change(order, limit_price="150.01").limit_price == Decimal("150.01")


def test_a_limit_that_has_become_tighter_lets_an_order_be_made_smaller() -> None:
    order, context = new_order(), bounded(max_order_quantity=500)
    smaller = amend.amend(order.pk, {"quantity": 800}, version=1, by="risk", context=context)
    assert smaller.quantity == 800
    with pytest.raises(NotAllowed, match="QUANTITY_EXCEEDS_MAX"):
        amend.amend(order.pk, {"quantity": 900}, version=2, by="risk", context=context)


def test_a_limit_outside_the_collar_is_refused_although_every_share_is_working() -> None:
    order = new_order(parts=1, limit_price="150.00")
    intent = claim(order.slices.get())
    assert intent is not None
    receive(intent, report(intent, SliceStatus.WORKING))
    assert working(order) == order.quantity
    with pytest.raises(NotAllowed, match="PRICE_OUTSIDE_COLLAR"):
        change(order, limit_price="500")
    context = bounded(max_position=order.quantity - 1)
    with pytest.raises(NotAllowed, match="POSITION_EXCEEDS_MAX"):
        amend.amend(order.pk, {"limit_price": "150.50"}, version=1, by="trader", context=context)
    context = bounded(max_position=order.quantity)
    asked = {"limit_price": "150.50"}
    amended = amend.amend(order.pk, asked, version=1, by="trader", context=context)
    assert (amended.limit_price, amended.version) == (Decimal("150.50"), 2)


@pytest.mark.parametrize("end", ["2200-01-01T00:00:00Z", timedelta(hours=25)])
def test_an_end_beyond_the_longest_window_is_refused_although_every_share_is_working(
    end: str | timedelta,
) -> None:
    order = new_order(parts=1, limit_price="150.00")
    intent = claim(order.slices.get())
    assert intent is not None
    receive(intent, report(intent, SliceStatus.WORKING))
    wanted = contexts.default().now() + end if isinstance(end, timedelta) else end
    with pytest.raises(InvalidSignal, match="end_at: must be at most 1440 minutes after"):
        change(order, end_at=wanted)
    with pytest.raises(InvalidSignal, match="end_at: must be at most 1440 minutes after"):
        change(order, end_at=wanted, quantity=order.quantity)
    order.refresh_from_db()
    assert order.version == 1


def test_an_amendment_that_says_nothing_is_refused() -> None:
    order = new_order()
    with pytest.raises(InvalidSignal, match="is required"):
        change(order, quantity=None)
    order.refresh_from_db()
    assert order.version == 1


@pytest.mark.parametrize(
    ("values", "version", "error", "said"),
    [
        ({"quantity": 399}, 1, InvalidSignal, "at least 400"),
        ({"quantity": 0}, 1, InvalidSignal, "quantity"),
        ({"end_at": "2020-01-01T00:00:00Z"}, 1, InvalidSignal, "end_at"),
        ({"limit_price": -1}, 1, InvalidSignal, "limit_price"),
        ({"symbol": "MSFT"}, 1, InvalidSignal, "cannot be amended"),
        ({"limit_price": "500"}, 1, NotAllowed, "PRICE_OUTSIDE_COLLAR"),
        ({"quantity": 800}, 2, NotAllowed, "has version 1"),
    ],
)
def test_what_is_not_allowed_changes_nothing(
    values: dict[str, object], version: int, error: type[Exception], said: str
) -> None:
    order = partly_worked()
    before = list(order.slices.order_by("pk").values())
    with pytest.raises(error, match=said):
        change(order, version=version, **values)
    order.refresh_from_db()
    assert (order.quantity, order.version) == (1_000, 1)
    assert list(order.slices.order_by("pk").values()) == before


@pytest.mark.parametrize(
    "end",
    [
        lambda order: order_controls.cancel(order.pk, by="x", now=contexts.default().now()),
        lambda order: completion.expire(order.pk, at=order.end_at),
    ],
    ids=["cancelled", "expired"],
)
def test_an_order_that_ends_cannot_be_amended(end: Callable[[Order], object]) -> None:
    order = new_order()
    end(order)
    with pytest.raises(NotAllowed, match="only a live one"):
        change(order, quantity=2_000)


def test_the_api_amends_and_says_what_is_wrong(admin_client: Client) -> None:
    order = new_order()
    url = f"/api/v1/orders/{order.pk}/amend/"

    def post(**body: object) -> tuple[int, Any]:
        answer = admin_client.post(url, body, content_type="application/json")
        return answer.status_code, answer.json()

    status, shown = post(version=1, quantity=700)
    assert (status, shown["quantity"], shown["version"]) == (200, 700, 2)
    assert post(version=1, quantity=600)[0] == 409
    status, told = post(version=2, quantity=0)
    sentence = "must be a whole number from 1 to 1,000,000,000, got 0"
    assert (status, told["errors"]) == (400, {"quantity": [sentence]})
    status, told = post(quantity=600)
    sentence = "is required, here or as If-Match: the one that was read"
    assert (status, told["errors"]) == (400, {"version": [sentence]})
    missing = admin_client.post("/api/v1/orders/0/amend/", {"version": 1}, "application/json")
    assert missing.status_code == 404


def test_the_command_amends(capsys: pytest.CaptureFixture[str]) -> None:
    order = new_order()
    call_command("amend", str(order.pk), "--quantity", "900")
    order.refresh_from_db()
    assert (order.quantity, order.version) == (900, 2)
    assert capsys.readouterr().out.rstrip().endswith(f"ends {exchange_time(order.end_at)}")
    call_command("amend", str(order.pk), "--quantity", "950", "--version", "2")
    with pytest.raises(CommandError, match="has version 3, not 2"):
        call_command("amend", str(order.pk), "--quantity", "960", "--version", "2")
    for words in (["--quantity=-5"], ["--limit=1_0"], ["--end-at=soon"], ["--read-version=0"]):
        with pytest.raises(CommandError, match=words[0].split("=")[0]):
            call_command("amend", str(order.pk), *words)
