"""The back office as people with different roles meet it."""

from collections.abc import Callable
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, User
from django.db import models
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from execution import context, heartbeat
from execution.entry import acceptance
from execution.management.roles import ensure_roles
from execution.models import (
    Bar,
    BrokerCursor,
    BrokerLink,
    CalendarOverride,
    Fill,
    Heartbeat,
    IbkrExecution,
    IbkrGateway,
    IbkrInquiry,
    IbkrOrder,
    MarketClock,
    MarketHalt,
    Order,
    OrderEvent,
    PaperExecution,
    PaperFlow,
    PaperOrder,
    PaperVolume,
    Slice,
    TradingState,
    TradingStateChange,
    VolumeProfile,
)
from execution.risk import kill_switch, limits
from tests.integration.paper_rows import filled_at_paper
from tests.integration.statements import statements

pytestmark = pytest.mark.django_db

ORDERS = "/admin/execution/order/"
SIGNAL = {
    "symbol": "AAPL",
    "side": "BUY",
    "quantity": 100,
    "decision_price": 150,
    "algorithm": "TWAP",
    "window_minutes": 60,
    "slices": 10,
}


def client_of(role: str) -> Client:
    ensure_roles()
    user, _ = User.objects.get_or_create(
        username=f"a-{role}", defaults={"is_staff": True, "is_superuser": role == "superuser"}
    )
    user.groups.set(Group.objects.filter(name=role))
    client = Client()
    client.force_login(user)
    return client


def accept(**changes: Any) -> Order:
    return acceptance.accept(SIGNAL | changes, context.default())


def filled(part: Slice, quantity: int = 1) -> Fill:
    return Fill.objects.create(
        order=part.order,
        slice=part,
        broker="paper",
        account="default",
        execution_id=f"x-{part.pk}",
        quantity=quantity,
        price="150.10",
        executed_at=timezone.now(),
    )


def one_of_each() -> None:
    order, now = accept(), timezone.now()
    filled(order.slices.first())
    filled_at_paper("c-1", "default")
    bar = dict.fromkeys(("open", "high", "low", "close"), 150)
    Bar.objects.create(symbol="AAPL", start_at=now, volume=1, **bar)
    MarketClock.objects.create(anchor=now, real_anchor=now)
    CalendarOverride.objects.create(day="2026-12-24", closed=True, reason="storm")
    MarketHalt.objects.create(symbol="AAPL", start_at=now, reason="news pending")
    BrokerLink.objects.create(broker="ibkr", address="here", up=True, since=now, seen_at=now)
    PaperVolume.objects.create(symbol="AAPL", minute=now, taken=5, granted=5)
    PaperFlow.objects.create(symbol="AAPL", minute=now, bought=5, sold=0)
    BrokerCursor.objects.create(broker="paper", account="default", heard_until=now)
    VolumeProfile.objects.create(
        symbol="AAPL", until="2026-11-20", sessions=["2026-11-20"], shares=[0.4, 0.2, 0.4]
    )
    gateway = IbkrGateway.objects.create(endpoint="127.0.0.1:7497/1", seen_at_real=now)
    IbkrInquiry.objects.create(gateway=gateway, kind="ACCOUNT")
    sent = IbkrOrder.objects.create(
        gateway=gateway,
        client_order_id="i-1",
        account="DU1",
        symbol="AAPL",
        side="BUY",
        quantity=5,
        limit_price=150,
        valid_until_real=now,
        waiter_pid=1,
        changed_at_real=now,
    )
    IbkrExecution.objects.create(
        order=sent,
        account="DU1",
        execution_id="e",
        revision=1,
        quantity=5,
        price=150,
        executed_at=now,
    )
    heartbeat.beat(Heartbeat.Kind.WORKER)
    kill_switch.halt(scope="SYMBOL", key="TSLA", by="ann", reason="news", now=now)
    limits.set_limit(scope="SYMBOL", key="TSLA", field="max_position", value=10, by="ann")
    limits.restrict(symbol="AMC", reason="too wild", by="ann")


# Hashes, which say nothing to anybody; a part of another page.
WITHOUT_A_PAGE = {"RecoveryCode", "DeskAccount"}
OURS = [
    model
    for model in apps.get_app_config("execution").get_models()
    if model.__name__ not in WITHOUT_A_PAGE
]
READ_ONLY = [
    Bar,
    BrokerCursor,
    BrokerLink,
    Fill,
    Heartbeat,
    IbkrExecution,
    IbkrGateway,
    IbkrInquiry,
    IbkrOrder,
    MarketClock,
    Order,
    OrderEvent,
    PaperExecution,
    PaperFlow,
    PaperOrder,
    PaperVolume,
    Slice,
    TradingState,
    TradingStateChange,
    VolumeProfile,
]


def url(model: type[models.Model], page: str, *args: Any) -> str:
    return reverse(f"admin:execution_{model._meta.model_name}_{page}", args=args)


def name(model: type[models.Model]) -> str:
    return model.__name__


def test_the_front_page_says_where_one_is() -> None:
    assert "DeepStack Execution" in client_of("Viewer").get("/admin/").content.decode()


@pytest.mark.parametrize("model", OURS, ids=name)
def test_every_list_and_every_row_can_be_looked_at(model: type[models.Model]) -> None:
    one_of_each()
    viewer = client_of("Viewer")
    assert viewer.get(url(model, "changelist"), {"q": "AAPL"}).status_code == 200
    assert viewer.get(url(model, "changelist")).status_code == 200
    for row in model._default_manager.all()[:1]:
        assert viewer.get(url(model, "change", row.pk)).status_code == 200


@pytest.mark.parametrize("model", READ_ONLY, ids=name)
def test_nobody_edits_what_happened(model: type[models.Model]) -> None:
    one_of_each()
    boss = client_of("superuser")
    row = model._default_manager.first()
    before = model._default_manager.filter(pk=row.pk).values().get()
    assert boss.post(url(model, "add"), {}).status_code == 403
    assert boss.post(url(model, "change", row.pk), {"status": "FILLED"}).status_code == 403
    assert boss.post(url(model, "delete", row.pk), {"post": "yes"}).status_code == 403
    assert model._default_manager.filter(pk=row.pk).values().get() == before


LISTS: list[Callable[[Order], str]] = [
    lambda order: ORDERS,
    lambda order: f"{ORDERS}{order.pk}/change/",
    lambda order: f"{url(Slice, 'changelist')}?order__id__exact={order.pk}",
    lambda order: f"{url(Fill, 'changelist')}?order__id__exact={order.pk}",
    lambda order: f"{url(OrderEvent, 'changelist')}?order__id__exact={order.pk}",
]


@pytest.mark.parametrize("path", LISTS, ids=["orders", "order", "slices", "fills", "events"])
def test_no_query_for_each_row(path: Callable[[Order], str]) -> None:
    boss = client_of("superuser")
    few, many = accept(slices=2), accept(slices=40)
    for order in (few, many):
        for part in order.slices.all():
            filled(part)
    boss.get(path(few))
    with_few = statements(lambda: boss.get(path(few)))
    for _ in range(20):
        accept()
    assert statements(lambda: boss.get(path(many))) == with_few


def test_an_order_shows_its_first_slices_and_where_the_rest_is() -> None:
    order = accept(quantity=10_000, slices=10_000)
    boss = client_of("superuser")
    page = boss.get(f"{ORDERS}{order.pk}/change/").content.decode()
    assert page.count("PLANNED") == 50
    link = f"{url(Slice, 'changelist')}?order__id__exact={order.pk}"
    assert f'<a href="{link}">10,000 slices</a>' in page
    assert boss.get(link).context["cl"].result_count == 10_000


@pytest.mark.parametrize(
    "term",
    ["{0.pk}", "MSFT", "msft", "ref-77", "ref-"],
    ids=["id", "symbol", "small", "ref", "start"],
)
def test_orders_are_found(term: str) -> None:
    accept()
    ours = accept(symbol="MSFT", client_reference="ref-77")
    page = client_of("Viewer").get(ORDERS, {"q": term.format(ours)}).content.decode()
    assert "BUY 100 MSFT" in page
    assert "BUY 100 AAPL" not in page


def test_a_search_for_nonsense_finds_nothing() -> None:
    accept()
    viewer = client_of("Viewer")
    for term in ("9" * 40, "%", "\\", "'"):
        page = viewer.get(ORDERS, {"q": term})
        assert page.status_code == 200
        assert "BUY 100 AAPL" not in page.content.decode()


def test_a_halt_is_set_under_the_name_of_who_did_it() -> None:
    order, risk = accept(), client_of("Risk")
    halt = {"scope": "SYMBOL", "key": "AAPL", "state": "HALTED", "reason": "news"}
    shown = risk.post(reverse("admin:execution_tradingstate_set"), halt, follow=True)
    assert "SYMBOL AAPL HALTED: live orders in the scope: 1" in shown.content.decode()
    row = TradingState.objects.get()
    assert (row.state, row.changed_by, row.reason) == ("HALTED", "a-Risk", "news")
    assert TradingStateChange.objects.get().changed_by == "a-Risk"
    assert order.events.filter(kind="TRADING_STATE").count() == 1


@pytest.mark.parametrize(("role", "offered"), [("Viewer", 0), ("Trader", 0), ("Risk", 1)])
def test_only_who_may_change_a_trading_state_is_offered_it(role: str, offered: int) -> None:
    TradingState.objects.create(
        scope="STRATEGY", key="A&B", state="HALTED", changed_at_real=timezone.now()
    )
    page = client_of(role).get("/admin/execution/tradingstate/").content.decode()
    assert "A&amp;B" in page
    assert page.count('key=A%26B">change</a>') == offered


@pytest.mark.parametrize(
    ("role", "changes", "status"),
    [
        ("Trader", {}, 403),
        ("Risk", {"key": "aapl"}, 200),
        ("Risk", {"reason": ""}, 200),
        ("Risk", {"scope": "SYSTEM"}, 200),
    ],
)
def test_a_halt_that_is_refused(role: str, changes: dict[str, str], status: int) -> None:
    halt = {"scope": "SYMBOL", "key": "AAPL", "state": "HALTED", "reason": "news"} | changes
    answer = client_of(role).post(reverse("admin:execution_tradingstate_set"), halt)
    assert answer.status_code == status
    assert not TradingState.objects.exists()
