"""Of another desk a person finds nothing and changes nothing, by whatever address and id."""

import json
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import AnonymousUser, Group, User
from django.test import Client
from django.utils import timezone
from rest_framework.authtoken.models import Token

from execution import context
from execution.access import desks
from execution.entry import acceptance, order_controls
from execution.management.roles import ensure_roles
from execution.models import (
    BrokerAccount,
    BrokerCursor,
    BrokerDifference,
    Desk,
    DeskAccount,
    Fill,
    Order,
    RestrictedSymbol,
    RiskLimit,
    RiskLimitChange,
    TradingState,
    TradingStateChange,
    Via,
)
from execution.orders import caller
from execution.orders.event_hub import Wanted
from monitoring.models import (
    Alert,
    AlertDelivery,
    BreakerTrip,
    CostAnalysis,
    OrderReplay,
    ReportDelivery,
    WebhookDelivery,
)
from monitoring.reporting import daily_summaries
from tests.baseline import addresses
from tests.integration.monitoring.rows import LIMITS, NOON, store_order
from tests.integration.paper_rows import filled_at_paper
from tests.integration.web.test_baseline import BODY, MARK, OTHER_TABLES, WHOLE, Answer, ask, rows

pytestmark = [pytest.mark.django_db, pytest.mark.any_date, pytest.mark.timeout(600)]

OWN = "own-account"
TWAP = {"symbol": "AAPL", "side": "BUY", "quantity": 700, "algorithm": "TWAP", "slices": 3}
# What a filter, a search or a grouping may let out, of what takes one.
ASKING = re.compile(
    r"/admin/(execution|monitoring)/\w+/(export.csv)?|/admin/(tca|baskets)/.*|/api/v1/.*/"
)
QUERIES = (f"?account={MARK}", f"?q={MARK}", f"?name={MARK}&period=month&by=order")


@pytest.fixture
def order() -> Order:
    """Live, of the account MARK, with rows of every table that tells of it."""
    more = {"account": MARK, "strategy": MARK, "basket": MARK, "client_reference": MARK}
    live = acceptance.accept({**TWAP, **more, "window_minutes": 60}, context.default())
    part, now = live.slices.earliest("pk"), timezone.now()
    Fill.objects.create(
        order=live,
        slice=part,
        broker="paper",
        account=MARK,
        execution_id=MARK,
        quantity=7,
        price="150.10",
        executed_at=now,
    )
    of_ended_orders()
    of_the_broker()
    of_alerts(live)
    TradingState.objects.create(scope="ACCOUNT", key=MARK, state="HALTED", reason=MARK)
    TradingStateChange.objects.create(scope="ACCOUNT", key=MARK, before="ACTIVE", after="HALTED")
    RiskLimit.objects.create(scope="ACCOUNT", key=MARK, max_position=7)
    RiskLimitChange.objects.create(scope="ACCOUNT", key=MARK, field=MARK, changed_by=MARK)
    RestrictedSymbol.objects.create(symbol="MSFT", account=MARK, reason=MARK, changed_by=MARK)
    return live


def of_ended_orders() -> None:
    ended = store_order(account=MARK, strategy=MARK, basket=MARK, filled_quantity=100)
    CostAnalysis.objects.create(order=ended, event_id=1, fees=Decimal(1))
    OrderReplay.objects.create(
        order=ended, algorithm="TWAP", own=False, problem=MARK, computed_at_real=NOON
    )
    daily_summaries.build(NOON.date(), account=MARK, real_now=NOON, limits=LIMITS)


def of_the_broker() -> None:
    now = timezone.now()
    BrokerAccount.objects.create(broker="paper", account=MARK)
    BrokerCursor.objects.create(broker="paper", account=MARK, heard_until=now)
    BrokerDifference.objects.create(
        broker="paper",
        account=MARK,
        kind="POSITION",
        symbol="AAPL",
        words=MARK,
        first_seen_at_real=now,
        last_seen_at_real=now,
    )
    filled_at_paper(MARK, MARK)


def of_alerts(order: Order) -> None:
    now = timezone.now()
    raised = {"raised_at": now, "raised_at_real": now, "severity": "WARNING"}
    alert = Alert.objects.create(
        kind="SLIPPAGE", message=MARK, account=MARK, order=order, dedupe_key=MARK, **raised
    )
    AlertDelivery.objects.create(alert=alert, channel="log", next_try_at_real=now, last_error=MARK)
    ReportDelivery.objects.create(
        channel="log", account=MARK, date=NOON.date(), next_try_at_real=now
    )
    WebhookDelivery.objects.create(
        receiver="risk", events=[1], created_at_real=now, next_try_at_real=now, last_error=MARK
    )
    BreakerTrip.objects.create(
        breaker="reject_rate",
        scope="ACCOUNT",
        key=MARK,
        account=MARK,
        measured=1,
        threshold=1,
        words=MARK,
        tripped_at=now,
        tripped_at_real=now,
        cooldown_until_real=now,
    )


def desk(name: str, account: str, *members: User) -> None:
    made = Desk.objects.create(name=name)
    made.members.set(members)
    DeskAccount.objects.create(desk=made, account=account)


def person(name: str, role: str) -> User:
    ensure_roles()
    user, _ = User.objects.get_or_create(username=name, is_staff=True)
    user.groups.set([Group.objects.get(name=role)])
    return user


def two_desks(role: str) -> Client:
    """Somebody of one desk, while the order is another's."""
    eve = person("eve", role)
    desk("ours", OWN, eve)
    desk("theirs", MARK, person("bob", "Trader"))
    return logged_in(eve)


def logged_in(user: User) -> Client:
    client = Client()
    client.raise_request_exception = False
    client.force_login(user)
    return client


def ids(order: Order) -> Mapping[str, int]:
    """Of the rows of each table that tell of the order's account."""
    of_models: dict[str, int] = {}
    for label in ("execution", "monitoring"):
        for model in apps.get_app_config(label).get_models():
            row = model._default_manager.order_by("pk").first()
            if row is not None and isinstance(row.pk, int):
                of_models[f"/{label}/{model._meta.model_name}/"] = row.pk
    alert, found = Alert.objects.earliest("pk").pk, BrokerDifference.objects.earliest("pk").pk
    of_api = {"v1/alerts/": alert, "v1/costs/": 1, "position-breaks/": found}
    part = order.slices.earliest("pk").pk
    ours = {"/execution/order/": order.pk, "/execution/slice/": part}
    return {**of_models, **ours, **of_api, "/order": order.pk, "": 1}


def every_address(order: Order) -> list[str]:
    """Of all tables that tell of an account, and of a few of the others."""
    telling = tuple(f"/admin/{label.replace('.', '/')}/" for label in desks.ACCOUNT_OF)
    found = addresses.of_service(ids(order))
    return [
        each for each in found if WHOLE or each.startswith(telling) or not OTHER_TABLES.match(each)
    ]


def read(client: Client, order: Order, *, asking: bool = False) -> Iterator[Answer]:
    for address in every_address(order):
        for query in ("", *(QUERIES if asking and ASKING.fullmatch(address) else ())):
            done = client.get(address + query)
            yield Answer(
                "GET", address + query, done.status_code, text_of(done), dict(done.headers)
            )


def write(client: Client, order: Order) -> Iterator[Answer]:
    """A page that is read only answers a POST as it answers a GET."""
    chosen = {"action": "cancel_orders", "_selected_action": order.pk, "orders": order.pk}
    for address in every_address(order):
        if address == "/admin/logout/" or OTHER_TABLES.match(address):
            continue
        if address.startswith("/api/"):
            yield ask(client, "POST", address)
            continue
        done = client.post(address, {**BODY, **chosen, "account": MARK})
        yield Answer("POST", address, done.status_code, text_of(done), dict(done.headers))


def text_of(answer: Any) -> str:
    """Files included; not what says again what was asked."""
    content = b"".join(answer.streaming_content) if answer.streaming else answer.content
    return str(content.decode(errors="replace"))


def echoed(answer: Answer) -> bool:
    """The page says again what was asked for."""
    return MARK in answer.address


def test_nothing_is_seen_of_another_desk(order: Order) -> None:
    """A Trader may read whatever a Viewer may."""
    client = two_desks("Trader")
    leaks = [
        str(answer)
        for answer in read(client, order, asking=True)
        if (MARK in answer.text and not echoed(answer))
        or (answer.status == 200 and f"/order/{order.pk}/" in answer.text)
    ]
    assert leaks == []


def test_what_is_looked_for_is_there_to_be_found(order: Order) -> None:
    """By somebody of that desk, and on the lists by Risk, who is in none."""
    two_desks("Trader")
    bob = logged_in(User.objects.get(username="bob"))
    tables = {f"/admin/{label.replace('.', '/')}/" for label in desks.ACCOUNT_OF}
    tables |= {f"/admin/{label.replace('.', '/')}/" for label in desks.OF_ACCOUNT_OR_ALL}
    tables -= {"/admin/monitoring/daycosts/"}  # has no page
    tables &= set(every_address(order))
    assert len(tables) > 12
    others = {"/admin/baskets/", "/api/v1/orders/", "/api/v1/alerts/"}
    assert {each for each in tables | others if MARK in text_of(bob.get(each))} == tables | others
    risk = logged_in(person("ann", "Risk"))
    assert {each for each in tables if MARK in text_of(risk.get(each))} == tables


def test_nothing_is_changed_of_another_desk(order: Order) -> None:
    client, before = two_desks("Trader"), rows()
    for answer in write(client, order):
        assert answer.status < 500, str(answer)
    assert rows() == before


def test_an_order_for_another_desk_names_the_account(order: Order) -> None:
    client = two_desks("Trader")
    signal = {**TWAP, "account": MARK}
    for body, field in ((signal, "account"), ([{**signal, "account": OWN}, signal], "1.account")):
        for address in ("/api/v1/orders/", "/api/v1/orders/preview/"):
            if isinstance(body, list) and "preview" in address:
                continue
            answer = client.post(address, json.dumps(body), content_type="application/json")
            assert answer.status_code == 403, answer.content
            assert answer.json()["errors"] == {field: [f"{MARK} is not of your desks"]}
    page = client.post("/admin/execution/order/new/", {**signal, "ticket": "t-1"})
    assert f"{MARK} is not of your desks" in page.content.decode()
    assert Order.objects.count() == 2
    own = client.post(
        "/api/v1/orders/", json.dumps({**TWAP, "account": OWN}), content_type="application/json"
    )
    assert own.status_code == 201, own.content


def test_a_program_sees_its_desks_by_its_token(order: Order) -> None:
    two_desks("Trader")
    for name, status in (("eve", 404), ("bob", 200)):
        key = Token.objects.create(user=User.objects.get(username=name)).key
        answer = Client().get(
            f"/api/v1/orders/{order.pk}/", headers={"authorization": f"Token {key}"}
        )
        assert answer.status_code == status


@pytest.mark.parametrize("control", ["cancel", "pause", "resume"])
def test_whoever_asks_in_a_request_touches_own_orders_alone(control: str, order: Order) -> None:
    two_desks("Trader")
    eve = User.objects.get(username="eve")
    act = getattr(order_controls, control)
    with (
        caller.acting(Via.API, lambda: "eve", lambda: eve),
        pytest.raises(Order.DoesNotExist),
    ):
        act(order.pk, by="eve", now=timezone.now())
    order.refresh_from_db()
    assert order.status == "ACCEPTED"


def test_the_stream_tells_of_own_accounts_alone(order: Order) -> None:
    two_desks("Trader")
    event = order.events.select_related("order").earliest("pk")
    for name, told in (("eve", False), ("bob", True)):
        own = desks.accounts_of(User.objects.get(username=name))
        for wanted in (Wanted(own=own), Wanted(order.pk, MARK, MARK, own)):
            assert wanted.fits(event) is told
            assert order.events.filter(wanted.rows, pk=event.pk).exists() is told
    assert Wanted(own=desks.accounts_of(person("ann", "Risk"))).fits(event)


HALT = {"scope": "ACCOUNT", "key": OWN, "reason": "runaway"}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("role", "changes", "state", "status"),
    [
        ("Trader", {}, "HALTED", 200),
        ("Trader", {}, "ACTIVE", 403),
        ("Trader", {}, "REDUCING", 403),
        ("Trader", {"key": MARK}, "HALTED", 403),
        ("Trader", {"scope": "SYSTEM", "key": ""}, "HALTED", 403),
        ("Trader", {"scope": "SYMBOL", "key": "AAPL"}, "HALTED", 403),
        ("Viewer", {}, "HALTED", 403),
        ("Risk", {"key": MARK}, "HALTED", 200),
        ("Risk", {"scope": "SYSTEM", "key": ""}, "HALTED", 200),
    ],
)
def test_who_halts_what(role: str, changes: dict[str, str], state: str, status: int) -> None:
    client = two_desks(role)
    body = {**HALT, **changes, "state": state}
    answer = client.post(
        "/api/v1/trading-states/", json.dumps(body), content_type="application/json"
    )
    assert answer.status_code == status, answer.content
    page = client.post("/admin/execution/tradingstate/set/", body)
    assert page.status_code == (302 if status == 200 else 403)
    assert TradingState.objects.exists() is (status == 200)


def test_a_trader_halts_by_the_page_and_not_everything() -> None:
    client = two_desks("Trader")
    assert client.get("/admin/execution/tradingstate/set/").status_code == 200
    assert client.get("/admin/execution/tradingstate/halt-all/").status_code == 403
    assert "halt-all" not in client.get("/admin/").content.decode()


def test_without_a_desk_everybody_sees_all_as_before(order: Order) -> None:
    for role in ("Viewer", "Trader", "Risk"):
        client = logged_in(person("eve", role))
        assert client.get(f"/admin/execution/order/{order.pk}/change/").status_code == 200
    assert not desks.sets_some_state(person("eve", "Trader"))


def test_an_account_of_no_desk_and_a_person_of_no_desk(order: Order) -> None:
    desk("ours", OWN, person("eve", "Trader"))
    for name, role, status in (
        ("eve", "Trader", 302),
        ("zoe", "Viewer", 302),
        ("ann", "Risk", 200),
    ):
        client = logged_in(person(name, role))
        answer = client.get(f"/admin/execution/order/{order.pk}/change/")
        assert answer.status_code == status, name
    assert (
        logged_in(User.objects.create_superuser("root"))
        .get(f"/admin/execution/order/{order.pk}/change/")
        .status_code
        == 200
    )


def test_a_member_who_leaves_sees_nothing_with_the_next_request(order: Order) -> None:
    two_desks("Trader")
    bob = User.objects.get(username="bob")
    client = logged_in(bob)
    assert client.get(f"/api/v1/orders/{order.pk}/").status_code == 200
    bob.desks.clear()
    assert client.get(f"/api/v1/orders/{order.pk}/").status_code == 404


def test_every_table_says_whether_it_tells_of_an_account() -> None:
    """What does not is seen by those alone who see everything."""
    known = desks.ACCOUNT_OF.keys() | desks.OF_SCOPE | desks.OF_ACCOUNT_OR_ALL | desks.OF_NOBODY
    every = {
        model._meta.label_lower
        for label in ("execution", "monitoring")
        for model in apps.get_app_config(label).get_models()
    }
    assert known <= every
    eve = person("eve", "Viewer")
    desk("ours", OWN, eve)
    for label in every - known:
        model = apps.get_model(label)
        assert desks.visible(model._default_manager.all(), eve).query.is_empty(), label
    assert desks.accounts_of(AnonymousUser()) == frozenset()
