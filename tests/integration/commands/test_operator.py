"""In live trading a command that lets something trade asks who types it."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, User
from django.utils import timezone
from rest_framework.authtoken.models import Token

from deepstack.config import current
from execution.management import operator, roles

pytestmark = [pytest.mark.django_db, pytest.mark.any_date]

MAY = "execution.change_tradingstate"


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
    assert operator.person("root", MAY) == "eve"
    assert operator.person("eve", MAY) == "eve"
    with pytest.raises(operator.NotShown, match=r"--by bob: the token .* is eve's"):
        operator.person("bob", MAY)


@pytest.mark.parametrize(("key", "words"), [("", "your own API token"), ("0" * 40, "Invalid")])
def test_without_a_token_nothing_is_resumed(
    monkeypatch: pytest.MonkeyPatch, key: str, words: str
) -> None:
    show(monkeypatch, key)
    with pytest.raises(operator.NotShown, match=words):
        operator.person("eve", MAY)


@pytest.mark.parametrize(("spoil", "words"), [(too_old, "has expired"), (left, "inactive")])
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
