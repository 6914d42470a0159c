"""Orders are taken for the accounts of the broker's login, and for no others."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils import timezone

from deepstack.config import Config
from execution import context as contexts
from execution.booking import broker_feed
from execution.broker.ibkr.adapter import InteractiveBrokers
from execution.broker.ibkr.endpoint import endpoint_of
from execution.broker.order_manager import OrderManager
from execution.context import Context
from execution.entry import acceptance
from execution.entry.preview import preview
from execution.models import BrokerAccount, BrokerCursor, IbkrGateway, Order
from execution.reconciliation import account_reconciliation

pytestmark = pytest.mark.django_db

SIGNAL: dict[str, object] = {"symbol": "AAPL", "side": "BUY", "quantity": 10, "algorithm": "TWAP"}


@pytest.fixture
def login() -> Callable[..., Context]:
    """A context before a gateway whose login has these accounts."""

    def made(*accounts: str, default: str = "default", age: float = 0.0) -> Context:
        config = Config(ibkr_client_id=17, account=default)
        seen = timezone.now() - timedelta(seconds=age)
        IbkrGateway.objects.update_or_create(
            endpoint=endpoint_of(config),
            defaults={
                "state": IbkrGateway.State.READY,
                "accounts": list(accounts),
                "seen_at_real": seen,
                "heard_at_real": seen,
            },
        )
        manager = OrderManager(config=config, paper_trader=InteractiveBrokers(config))
        return replace(contexts.default(), config=config, broker=manager)

    return made


@pytest.mark.parametrize(
    ("accounts", "account", "denied"),
    [
        (["DU1", "DU2"], "DU999", "ACCOUNT_UNKNOWN: account=DU999, accounts=DU1 DU2"),
        (["DU1", "DU2"], "default", "ACCOUNT_UNKNOWN: account=default, accounts=DU1 DU2"),
        (["DU1"], "DU999", "ACCOUNT_UNKNOWN: account=DU999, accounts=DU1 default"),
        (["DU1", "DU2"], "DU2", ""),
        (["DU1"], "default", ""),
        ([], "DU999", ""),  # TWS has named none yet
    ],
)
@pytest.mark.parametrize("by", ["order", "configuration"])
def test_an_order_for_an_account_of_another_login_is_denied_with_those_that_are(
    login: Callable[..., Context], accounts: list[str], account: str, denied: str, by: str
) -> None:
    named = by == "order"
    context = login(*accounts, default="default" if named else account)
    signal = SIGNAL | ({"account": account} if named else {})
    order = acceptance.accept(signal, context)
    assert (order.account, order.status_reason) == (account, denied)
    assert preview(signal, context)["reason"] == denied


def test_nobody_is_denied_while_the_gateway_does_not_say(login: Callable[..., Context]) -> None:
    order = acceptance.accept(SIGNAL | {"account": "DU999"}, login("DU1", age=3_600))
    assert order.status == "ACCEPTED"


def test_paper_trades_any_account() -> None:
    order = acceptance.accept(SIGNAL | {"account": "DU999"}, contexts.default())
    assert order.status == "ACCEPTED"


def test_a_row_that_no_login_owns_is_forgotten_and_not_asked_about(
    login: Callable[..., Context],
) -> None:
    context = login("DU1", "DU2", default="DU1")
    here = {"broker": "ibkr", "account": "DU999"}
    BrokerCursor.objects.create(**here, heard_until=timezone.now())
    BrokerAccount.objects.create(
        **here, failing_since_real=timezone.now(), problem="not of this login"
    )
    assert account_reconciliation.accounts(context) == ["DU1"]
    assert broker_feed.poll("DU999", context) == 0
    assert not BrokerCursor.objects.filter(**here).exists()
    assert not BrokerAccount.objects.filter(**here).exists()


def test_a_live_order_keeps_its_account_in_sight(login: Callable[..., Context]) -> None:
    """The gateway may be at another login for a while."""
    order = acceptance.accept(SIGNAL | {"account": "DU2"}, login("DU1", "DU2"))
    context = login("DU7")
    BrokerCursor.objects.create(broker="ibkr", account="DU2", heard_until=timezone.now())
    broker_feed.poll("DU2", context)
    assert BrokerCursor.objects.filter(account="DU2").exists()
    assert Order.objects.get(pk=order.pk).is_terminal is False
