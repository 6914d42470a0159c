"""Reading orders: by our id, by Alpaca's, or all of them, each with its executions."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from execution.broker.alpaca import messages
from execution.broker.alpaca.fills import Fills
from execution.broker.alpaca.http_client import HttpClient, NoSuchOrder
from execution.broker.alpaca.messages import REPLACED, SeenOrder
from execution.broker.alpaca.rate_limit import Lanes
from execution.broker.alpaca.redis_cache import RedisCache
from execution.broker.base import BrokerOrder, OutcomeUnknown
from execution.domain.lifecycle import SliceStatus

PAGE = 500
MOST_PAGES = 200
MOST_REPLACEMENTS = 10
# Pages overlap by this: the listing goes by the time of submission, which two orders may share.
OVERLAP = timedelta(milliseconds=1)


class Orders:
    def __init__(self, http: HttpClient, fills: Fills, cache: RedisCache, account: str) -> None:
        self._http = http
        self._fills = fills
        self._cache = cache
        self._account = account

    def by_client_id(self, client_order_id: str, lane: Lanes) -> SeenOrder | None:
        """None is Alpaca's definite "no such order"; for a moment it may say so of a new one."""
        query = {"client_order_id": client_order_id}
        try:
            order = messages.seen_order(self._http.get("/orders:by_client_order_id", query, lane))
        except NoSuchOrder:
            return None
        if order.client_order_id != client_order_id:
            raise OutcomeUnknown(
                f"asked for {client_order_id}, answered for {order.client_order_id}"
            )
        return order

    def by_id(self, order_id: str, lane: Lanes) -> SeenOrder:
        try:
            return messages.seen_order(self._http.get(f"/orders/{order_id}", {}, lane))
        except NoSuchOrder as error:
            raise OutcomeUnknown(f"order {order_id} is gone: {error}") from error

    def whole(self, order: SeenOrder, lane: Lanes = Lanes.ASK) -> BrokerOrder:
        """The order with the executions that are known by now, its replacements' included.

        Raises OutcomeUnknown when the executions have more shares than the order: one of them
        would then have been reported under two ids.
        """
        chain = [self._counted(each, lane) for each in self._chain(order, lane)]
        last = chain[-1]
        filled = sum(each.filled for each in chain)
        executions = tuple(
            messages.execution(fill, order.client_order_id, self._account)
            for each in chain
            for fill in self._fills.known(each)
        )
        self._cache.remember_id(order.client_order_id, last.id)
        status = last.status
        if status == SliceStatus.FILLED and filled < order.quantity:
            status = SliceStatus.CANCELLED  # replaced by a smaller order, and that one is filled
        return replace(
            messages.answer(last, executions),
            client_order_id=order.client_order_id,
            status=status,
            filled_quantity=filled,
        )

    def listing(
        self, query: Mapping[str, str], after: datetime | None, lane: Lanes
    ) -> tuple[list[Mapping[str, object]], int]:
        """All orders submitted after a moment, oldest first, and how many messages it took."""
        found: dict[object, Mapping[str, object]] = {}
        for page in range(1, MOST_PAGES + 1):
            asked = {**query, "limit": str(PAGE), "direction": "asc"}
            if after is not None:
                asked["after"] = f"{after.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
            rows = self._http.get("/orders", asked, lane)
            if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
                raise OutcomeUnknown(f"orders: not a list of orders but {str(rows)[:100]!r}")
            before = len(found)
            found |= {row.get("id"): row for row in rows}
            if len(rows) < PAGE:
                return list(found.values()), page
            if len(found) == before:
                break
            after = messages.submitted_at(rows[-1]) - OVERLAP
        raise OutcomeUnknown(f"orders: the pages after {after} do not end")

    def _counted(self, order: SeenOrder, lane: Lanes) -> SeenOrder:
        """The order as of its latest known execution."""
        self._fills.of(order, lane)
        if self._fills.missing(order) >= 0:
            return order
        order = self.by_id(order.id, lane)  # it went on while its executions were read
        if (missing := self._fills.missing(order)) < 0:
            raise OutcomeUnknown(
                f"order {order.client_order_id}: {-missing} shares more in its executions than the "
                f"{order.filled} it has"
            )
        return order

    def _chain(self, order: SeenOrder, lane: Lanes) -> list[SeenOrder]:
        """The order and those that took its place: replaced is not ended, its shares work on."""
        chain = [order]
        while chain[-1].word == REPLACED:
            if not chain[-1].replaced_by or len(chain) > MOST_REPLACEMENTS:
                raise OutcomeUnknown(
                    f"order {order.client_order_id}: replaced by nobody knows what"
                )
            chain.append(self.by_id(chain[-1].replaced_by, lane))
        return chain
