"""An account's buying power as its broker told it lately, less what has been sent since."""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

import structlog
from django.db.models import F, Sum
from django.utils import timezone

from deepstack.database.prepared_query import NEVER, Param, Prepared
from execution.broker.base import AccountBroker, BrokerError
from execution.context import Desk
from execution.domain.event_kinds import EventKind
from execution.models import OrderEvent
from execution.models.orders import Side

log = structlog.get_logger(__name__)

KEPT_SECONDS = 10.0  # what a broker told is good for so long; asking may take several requests
AGAIN_SECONDS = 1.0  # before a broker that did not answer is asked again
# A send that the broker had not counted yet when it answered.
OVERLAP = timedelta(seconds=1)
_SENT = Prepared[tuple[Decimal]](
    lambda: (
        OrderEvent.objects.filter(
            kind=EventKind.SLICE_SENDING,
            recorded_wall__gt=Param("since", NEVER),
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
    """`power` in dollars, told at `asked_wall` or a little later."""

    power: Decimal
    asked_wall: datetime

    def left(self, account: str) -> Decimal:
        """Less the buys that were sent since, at their limits; never too much."""
        row = _SENT.first(account=account, since=self.asked_wall - OVERLAP)
        return self.power - (row[0] if row else 0)


_kept: dict[tuple[str, str], tuple[float, Funds | None]] = {}


def told(account: str, desk: Desk, *, now: datetime) -> Funds | None:
    """None while the broker does not say."""
    key = desk.broker.name, account
    until, funds = _kept.get(key, (0.0, None))
    if time.monotonic() >= until:
        funds = _ask(account, desk, now=now)
        _kept[key] = time.monotonic() + (KEPT_SECONDS if funds else AGAIN_SECONDS), funds
    return funds


def forget() -> None:
    """Ask anew at the next question."""
    _kept.clear()


def _ask(account: str, desk: Desk, *, now: datetime) -> Funds | None:
    asked = timezone.now()
    broker = desk.broker.broker
    if not isinstance(broker, AccountBroker):
        return None
    try:
        return Funds(broker.account_state(account, now=now).buying_power, asked)
    except BrokerError as error:
        log.warning("the buying power is not known", account=account, error=str(error))
        return None
