"""What the rehearsal has made is taken away again: only what bears its own account, strategy, or
reason. Trading states of other scopes are left to the person who set them."""

from collections.abc import Callable, Iterator
from contextlib import suppress

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from execution.context import Context
from execution.domain.lifecycle import ORDER_LIVE, OrderStatus
from execution.entry import order_controls
from execution.entry.order_controls import NotAllowed
from execution.market.trading_halts import HOLD_SECONDS
from execution.models import (
    BrokerAccount,
    BrokerCursor,
    BrokerDifference,
    MarketHalt,
    Order,
    PaperOrder,
    TradingState,
)
from execution.risk import kill_switch, scopes
from execution.risk.kill_switch import Scope, State
from monitoring.rehearsal.scene import ACCOUNT, BY, STRATEGY

OVER = "the rehearsal's scene is over"
# Of the rows that the rehearsal enters beside its orders.
HALT_REASON = "rehearsal: volatility pause"
PAPER_ID = "rehearsal-"
_OWN_SCOPES = Q(scope=Scope.ACCOUNT, key=ACCOUNT) | Q(scope=Scope.STRATEGY, key=STRATEGY)


def clean_up(context: Context, sleep: Callable[[float], None]) -> list[str]:
    """Harmless to repeat. Sentences about what is left to a person."""
    halts, _ = MarketHalt.objects.filter(reason=HALT_REASON, source="").delete()
    if halts:
        sleep(HOLD_SECONDS)  # until this process, too, has forgotten it
    _cancel_orders(context)
    left = list(_lift_own_halts(context))
    _forget_broker_side(context)
    return left


def held_by(symbol: str) -> "QuerySet[TradingState]":
    """The trading states that hold the rehearsal's orders."""
    applying = scopes.applying(account=ACCOUNT, strategy=STRATEGY, symbol=symbol)
    return TradingState.objects.filter(applying).exclude(state=State.ACTIVE).order_by("pk")


def _cancel_orders(context: Context) -> None:
    live = ORDER_LIVE - {OrderStatus.CANCELLING}
    own = Order.objects.filter(account=ACCOUNT, status__in=sorted(live))
    for number in list(own.values_list("pk", flat=True)):
        with suppress(NotAllowed):  # it has ended meanwhile
            order_controls.cancel(number, by=BY, now=context.now(), reason=OVER)


def _lift_own_halts(context: Context) -> Iterator[str]:
    for row in TradingState.objects.filter(_OWN_SCOPES).exclude(state=State.ACTIVE):
        try:
            kill_switch.resume(
                scope=row.scope,
                key=row.key,
                by=BY,
                reason=OVER,
                now=context.now(),
                approved=True,  # its scope has no orders but the rehearsal's
            )
        except ValueError as error:  # a breaker's cool-down
            yield f"not lifted: {error}"


@transaction.atomic
def _forget_broker_side(context: Context) -> None:
    """The next comparison of the account is a first one: what it finds was there before."""
    here = {"broker": context.broker.name, "account": ACCOUNT}
    PaperOrder.objects.filter(account=ACCOUNT, client_order_id__startswith=PAPER_ID).delete()
    found = BrokerDifference.objects.filter(**here, gone_at_real__isnull=True)
    found.update(gone_at_real=timezone.now())
    BrokerAccount.objects.filter(**here).delete()
    BrokerCursor.objects.filter(**here).delete()
