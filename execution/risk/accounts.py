"""Whether an account is one of the broker's login: an order for another could never be sent."""

from collections.abc import Sequence

from django.db import transaction

from execution.broker.base import LoginBroker
from execution.context import Context
from execution.domain.lifecycle import ORDER_LIVE
from execution.domain.risk_checks import Denial
from execution.models import BrokerAccount, BrokerCursor, Order


def of_login(context: Context) -> Sequence[str]:
    """The accounts that orders may be in; empty where any may, or the broker has not said."""
    broker = context.broker.broker
    return broker.accounts() if isinstance(broker, LoginBroker) else ()


def refusal(account: str, known: Sequence[str]) -> Denial | None:
    if not known or account in known:
        return None
    return Denial("ACCOUNT_UNKNOWN", {"account": account, "accounts": " ".join(known)})


def forget_foreign(account: str, context: Context) -> bool:
    """Whether the account is surely not the login's and has no live order: then it is not asked
    about any more, and what an earlier order under it left behind is taken away."""
    if refusal(account, of_login(context)) is None:
        return False
    if Order.objects.filter(account=account, status__in=ORDER_LIVE).exists():
        return False
    here = {"broker": context.broker.name, "account": account}
    with transaction.atomic():
        BrokerCursor.objects.filter(**here).delete()
        BrokerAccount.objects.filter(**here, compared_at_real=None).delete()
        BrokerAccount.objects.filter(**here).update(failing_since_real=None, problem="")
    return True
