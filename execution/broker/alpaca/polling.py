"""What changed in the account, in few messages: one listing of orders and one of executions."""

from datetime import datetime, timedelta

import structlog

from execution.broker.alpaca import messages
from execution.broker.alpaca.fills import Fills
from execution.broker.alpaca.messages import SeenOrder
from execution.broker.alpaca.orders import Orders
from execution.broker.alpaca.rate_limit import Lanes
from execution.broker.alpaca.redis_cache import RedisCache, Sweep
from execution.broker.base import BrokerOrder, OutcomeUnknown, TooSoon
from execution.domain.lifecycle import SLICE_TERMINAL

log = structlog.get_logger(__name__)

SHARE = 0.2  # of the message budget
# Alpaca lists orders by submission, not by change: without a memory the reading goes back so far.
LOOK_BACK = timedelta(days=1)
# The broker's clock may differ from ours by some seconds; what is reported twice does no harm.
MARGIN = timedelta(seconds=15)
LONGEST_WAIT = timedelta(minutes=10)  # for an execution that the order counts and nobody names


class Poller:
    def __init__(self, orders: Orders, fills: Fills, cache: RedisCache, per_minute: int) -> None:
        self._orders = orders
        self._fills = fills
        self._cache = cache
        self._seconds_per_message = 60 / (per_minute * SHARE)

    def since(self, moment: datetime, *, now: datetime) -> list[BrokerOrder]:
        """The orders that changed at or after a moment. Raises TooSoon when another sweep would
        take more than the polls' share of the messages."""
        if not self._cache.may_sweep(2 * self._seconds_per_message):
            raise TooSoon("the broker was polled a moment ago")
        moment -= MARGIN
        start = self._start(moment)
        # Fills first: an order read after them counts at least those.
        fills, pages = self._fills.since(start.fills_from)
        filled = {fill.order_id for fill in fills}
        orders, more = self._listed(start.orders_from, filled)
        changed = [
            order for order in orders if order.changed_at >= start.fills_from or order.id in filled
        ]
        reports = [seen for order in changed if (seen := self._whole(order)) is not None]
        self._cache.swept(self._next(orders, changed, now=now))
        self._cache.rest((pages + more) * self._seconds_per_message)
        return reports

    def _start(self, moment: datetime) -> Sweep:
        """Where a caller must begin who has all until a moment.

        Who was given a later sweep may have died with it: what had ended by then is passed over
        only for callers who are further than that.
        """
        sweeps = self._cache.sweeps()
        begins = [sweep.orders_from for sweep in sweeps if sweep.at <= moment]
        return Sweep(
            at=moment,
            orders_from=min(moment, begins[-1]) if begins else moment - LOOK_BACK,
            fills_from=min([moment, *(sweep.fills_from for sweep in sweeps[-1:])]),
        )

    def _listed(self, after: datetime, filled: set[str]) -> tuple[list[SeenOrder], int]:
        rows, pages = self._orders.listing({"status": "all"}, after, Lanes.POLL)
        orders = [order for row in rows if (order := _understood(row)) is not None]
        # Old orders that had ended before, and were executed all the same.
        late = filled - {str(row.get("id")) for row in rows}
        for order_id in sorted(late):
            try:
                orders.append(self._orders.by_id(order_id, Lanes.POLL))
            except OutcomeUnknown as error:
                log.warning("an execution of an order that cannot be read", error=str(error))
        return orders, pages + len(late)

    def _whole(self, order: SeenOrder) -> BrokerOrder | None:
        try:
            return self._orders.whole(order, Lanes.POLL)
        except OutcomeUnknown as error:
            log.warning(
                "the report of an order cannot be read",
                order=order.client_order_id,
                error=str(error),
            )
            return None

    def _next(self, orders: list[SeenOrder], changed: list[SeenOrder], *, now: datetime) -> Sweep:
        """Where the next sweep begins: what is open now, and what nobody was given yet."""
        lagging = [order.changed_at for order in changed if self._fills.missing(order) > 0]
        awaited = [moment for moment in lagging if now - moment < LONGEST_WAIT]
        open_since = [order.submitted_at for order in orders if order.status not in SLICE_TERMINAL]
        return Sweep(
            at=now,
            orders_from=min([now - MARGIN, *open_since]) - MARGIN,
            fills_from=min([now, *awaited]) - MARGIN,
        )


def _understood(row: object) -> SeenOrder | None:
    """Somebody else's order may be of a kind that ours never are; ours must not go unnoticed."""
    try:
        return messages.seen_order(row)
    except OutcomeUnknown as error:
        log.warning("an order in the list cannot be read", error=str(error))
        return None
