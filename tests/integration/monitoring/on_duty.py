"""What a person on duty does in a rehearsal, and how it is afterwards."""

from collections.abc import Callable
from io import StringIO

from django.core.management import call_command

from execution.models import (
    BrokerAccount,
    BrokerDifference,
    MarketHalt,
    Order,
    PaperOrder,
    TradingState,
)
from monitoring.rehearsal.scene import ACCOUNT

Act = Callable[[], object]


def command(*words: str) -> Act:
    return lambda: call_command(*words, "--by", "ann", stdout=StringIO(), stderr=StringIO())


def on_own_order(name: str, *words: str) -> Act:
    """A command about the order that the scene has made."""
    return lambda: command(name, str(own().pk), "--reason", "as runbook", *words)()


def own() -> Order:
    return Order.objects.filter(account=ACCOUNT).latest("pk")


def nothing_is_left() -> bool:
    assert not Order.objects.filter(account=ACCOUNT, status__in=["ACCEPTED", "PAUSED"]).exists()
    assert not TradingState.objects.filter(key=ACCOUNT).exclude(state="ACTIVE").exists()
    assert not MarketHalt.objects.exists()
    assert not PaperOrder.objects.filter(client_order_id__startswith="rehearsal").exists()
    assert not BrokerDifference.objects.filter(gone_at_real__isnull=True).exists()
    assert not BrokerAccount.objects.filter(account=ACCOUNT).exists()
    return True
