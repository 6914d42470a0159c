"""In live trading a command that lets something trade asks who types it."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, User
from django.core.management import CommandError
from django.utils import timezone
from rest_framework.authtoken.models import Token

from deepstack.config import current
from execution.management import operator, roles
from execution.models import Desk, Order, TradingState
from tests.integration.commands.console import run
from tests.integration.order_steps import new_order
from tests.second_factor import token_of

pytestmark = [pytest.mark.django_db, pytest.mark.any_date]

MAY = "execution.change_tradingstate"
LIVE = {
    "TRADING_MODE": "live",
    "LIVE_BROKER": "alpaca",
    "LIVE_TRADING_CONFIRMED": "true",
    "ALPACA_API_KEY": "key",
    "ALPACA_SECRET_KEY": "secret",
    "MARKET__SOURCE": "alpaca",
    "LIMITS__MAX_ORDER_QUANTITY": "10",
    "LIMITS__MAX_ORDER_NOTIONAL": "2000",
    "LIMITS__MAX_POSITION": "20",
    "LIMITS__MAX_MESSAGES_PER_MINUTE": "30",
    "LIMITS__MAX_DAILY_LOSS": "200",
}


def token(role: str, name: str = "eve") -> Token:
    roles.ensure_roles()
    user = User.objects.create_user(name)
    user.groups.add(Group.objects.get(name=role))
    return Token.objects.create(user=user)


def show(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv(operator.VARIABLE, key)


def too_old(shown: Token) -> None:
    created = timezone.now() - timedelta(days=current().token_days)
    Token.objects.filter(pk=shown.pk).update(created=created)


def left(shown: Token) -> None:
    User.objects.filter(pk=shown.user_id).update(is_active=False)


def test_the_tokens_user_is_who_is_on_record(monkeypatch: pytest.MonkeyPatch) -> None:
    show(monkeypatch, token("Risk").key)
    monkeypatch.setattr("getpass.getuser", lambda: "root")
    assert operator.person("root", MAY).get_username() == "eve"
    assert operator.person("eve", MAY).get_username() == "eve"
    assert operator.person(None, MAY).get_username() == "eve"
    with pytest.raises(operator.NotShown, match=r"--by bob: the token .* is eve's"):
        operator.person("bob", MAY)


@pytest.mark.parametrize(("key", "words"), [("", "your own API token"), ("0" * 40, "such token")])
def test_without_a_token_nothing_is_resumed(
    monkeypatch: pytest.MonkeyPatch, key: str, words: str
) -> None:
    show(monkeypatch, key)
    with pytest.raises(operator.NotShown, match=words):
        operator.person("eve", MAY)


@pytest.mark.parametrize(("spoil", "words"), [(too_old, "has expired"), (left, "not active")])
def test_a_token_that_is_over_is_none(
    monkeypatch: pytest.MonkeyPatch, spoil: Callable[[Token], None], words: str
) -> None:
    shown = token("Risk")
    show(monkeypatch, shown.key)
    spoil(shown)
    with pytest.raises(operator.NotShown, match=words):
        operator.person("eve", MAY)


@pytest.mark.parametrize("role", ["Viewer", "Trader"])
def test_another_role_resumes_nothing(monkeypatch: pytest.MonkeyPatch, role: str) -> None:
    show(monkeypatch, token(role).key)
    with pytest.raises(operator.NotShown, match="which a role gives"):
        operator.person("eve", MAY)


@pytest.fixture
def live(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in LIVE.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv(operator.VARIABLE, raising=False)
    current.cache_clear()
    yield
    monkeypatch.undo()
    current.cache_clear()


@pytest.mark.usefixtures("live")
def test_in_live_trading_a_halt_asks_nobody_and_its_end_for_a_token(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    words = ("--symbol", "AAPL", "--reason", "news")
    run("halt", *words)
    halted = TradingState.objects.get()
    with pytest.raises(CommandError, match="your own API token"):
        run("resume_trading", *words)
    halted.refresh_from_db()
    assert halted.state == "HALTED"
    show(monkeypatch, token_of("eve", "Risk"))
    run("resume_trading", *words)
    halted.refresh_from_db()
    assert (halted.state, halted.changed_by) == ("ACTIVE", "eve")


@pytest.mark.usefixtures("live")
@pytest.mark.parametrize("words", [["order", "BUY", "1", "AAPL"], ["amend", "1", "--quantity=9"]])
def test_in_live_trading_an_order_asks_for_a_token_of_a_trader(
    words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(CommandError, match="your own API token"):
        run(*words)
    show(monkeypatch, token_of("eve", "Risk"))
    with pytest.raises(CommandError, match=r"eve has not the permission execution\.submit_order"):
        run(*words)
    assert not Order.objects.exists()


def test_the_tokens_user_is_bound_by_their_desks(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    order = new_order()
    request.getfixturevalue("live")
    desk = Desk.objects.create(name="elsewhere")
    desk.accounts.create(account="other")
    show(monkeypatch, token_of("ann", "Trader"))
    desk.members.add(User.objects.get(username="ann"))
    with pytest.raises(CommandError, match=f"there is no order {order.pk}"):
        run("amend", str(order.pk), "--quantity=90000")
