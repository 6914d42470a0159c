"""An account's buying power as its broker reported it lately, less what has been sent since."""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from threading import Lock

import structlog
from cachetools import TLRUCache, cached
from django.db.models import F, Sum
from django.utils import timezone

from deepstack.database.prepared_query import NEVER, Param, Prepared
from execution.broker.base import AccountBroker, BrokerError
from execution.context import Context
from execution.domain.event_kinds import EventKind
from execution.models import OrderEvent
from execution.models.orders import Side

log = structlog.get_logger(__name__)

KEPT_SECONDS = 10.0  # what a broker reported is good for so long; asking may take several requests
AGAIN_SECONDS = 1.0  # before a broker that did not answer is asked again
MOST_ACCOUNTS = 10_000  # that are remembered
# A send that the broker had not counted yet when it answered.
OVERLAP = timedelta(seconds=1)
_SENT = Prepared[tuple[Decimal]](
    lambda: (
        OrderEvent.objects.filter(
            kind=EventKind.SLICE_SENDING,
            recorded_at_real__gt=Param("since", NEVER),
            order__account=Param("account", ""),
            order__side=Side.BUY,
        )
        .order_by()
        .values("order__account")
        .annotate(money=Sum(F("slice__quantity") * F("slice__limit_price")))
        .values_list("money")
    )
)


@dataclass(frozen=True, slots=True)
class Funds:
    """`power` in dollars, reported at `asked_at_real` or a little later."""

    power: Decimal
    asked_at_real: datetime

    def left(self, account: str) -> Decimal:
        """Less the buys that were sent since, at their limits; never too much."""
        row = _SENT.first(account=account, since=self.asked_at_real - OVERLAP)
        return self.power - (row[0] if row else 0)


def _lasts_until(key: object, funds: Funds | None, now: float) -> float:
    return now + (KEPT_SECONDS if funds else AGAIN_SECONDS)


_cache: TLRUCache[tuple[str, str], Funds | None] = TLRUCache(
    maxsize=MOST_ACCOUNTS, ttu=_lasts_until, timer=time.monotonic
)
_lock = Lock()


def _of_account(account: str, context: Context, *, now: datetime) -> tuple[str, str]:
    return context.broker.name, account


@cached(_cache, key=_of_account, lock=_lock)
def of(account: str, context: Context, *, now: datetime) -> Funds | None:
    """None while the broker does not say, in dollars."""
    return _ask(account, context, now=now)


def forget() -> None:
    """Ask anew at the next question."""
    with _lock:
        _cache.clear()


def _ask(account: str, context: Context, *, now: datetime) -> Funds | None:
    asked = timezone.now()
    broker = context.broker.broker
    if not isinstance(broker, AccountBroker):
        return None
    try:
        state = broker.account_state(account, now=now)
    except BrokerError as error:
        log.warning("the buying power is not known", account=account, error=str(error))
        return None
    if not state.in_dollars:
        log.warning("the buying power is not in dollars", account=account, currency=state.currency)
        return None
    return Funds(state.buying_power, asked)
