"""The executions of Alpaca orders, from the account's activities.

Alpaca reports an execution in two places under two ids that cannot be matched: the stream has an
`execution_id`, the activities an id of the form "<time>::<uuid>". Booked is by the activities
alone, because they can be read again after a gap and the stream cannot: a fill then has one id,
whoever saw it first and however often. The stream and the order's `filled_qty` only say how
many shares there must be; while the activities name fewer, the rest is still on its way.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from execution.broker.alpaca.http_client import HttpClient
from execution.broker.alpaca.messages import SeenFill, SeenOrder, seen_fill
from execution.broker.alpaca.rate_limit import Lanes
from execution.broker.base import OutcomeUnknown

FILLS = "/account/activities/FILL"
PAGE = 100
MOST_PAGES = 200
ORDERS_HELD = 4096


class Fills:
    """Reads executions, and remembers those of recent orders: an execution never changes."""

    def __init__(self, http: HttpClient) -> None:
        self._http = http
        self._held: OrderedDict[str, dict[str, SeenFill]] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, order: SeenOrder, lane: Lanes = Lanes.ASK) -> Sequence[SeenFill]:
        """The executions of one order, oldest first; asks only for what is not yet known."""
        if self.missing(order) > 0:
            fills, _ = self._read({"order_id": order.id}, lane)
            self.keep(fills)
        return self.known(order)

    def known(self, order: SeenOrder) -> Sequence[SeenFill]:
        with self._lock:
            held = self._held.get(order.id, {})
            return sorted(held.values(), key=lambda fill: (fill.at, fill.id))

    def missing(self, order: SeenOrder) -> int:
        """Shares of the order's own count that no known execution explains; below zero, the
        executions have more than the order."""
        return order.filled - sum(fill.quantity for fill in self.known(order))

    def since(self, moment: datetime) -> tuple[Sequence[SeenFill], int]:
        """The account's executions reported at or after a moment, and how many messages it took."""
        # To the second below: the specification shows no finer form of this parameter.
        start = moment.astimezone(UTC).replace(microsecond=0) - timedelta(seconds=1)
        fills, pages = self._read({"after": f"{start:%Y-%m-%dT%H:%M:%SZ}"}, Lanes.POLL)
        self.keep(fills)
        return fills, pages

    def keep(self, fills: Iterable[SeenFill]) -> None:
        with self._lock:
            for fill in fills:
                self._held.setdefault(fill.order_id, {})[fill.id] = fill
                self._held.move_to_end(fill.order_id)
            while len(self._held) > ORDERS_HELD:
                self._held.popitem(last=False)

    def _read(self, wanted: dict[str, str], lane: Lanes) -> tuple[list[SeenFill], int]:
        fills: list[SeenFill] = []
        query = wanted | {"direction": "asc", "page_size": str(PAGE)}
        for page in range(1, MOST_PAGES + 1):
            rows = self._http.get(FILLS, query, lane)
            if not isinstance(rows, list):
                raise OutcomeUnknown(f"activities: not a list but {str(rows)[:100]!r}")
            fills += [fill for row in rows if (fill := _whole(row)) is not None]
            if len(rows) < PAGE:
                return fills, page
            query["page_token"] = _token(rows[-1])
        raise OutcomeUnknown(f"activities: more than {MOST_PAGES * PAGE} since {wanted}")


def _token(row: object) -> str:
    token = row.get("id") if isinstance(row, dict) else None
    if not token:
        raise OutcomeUnknown(f"activities: no id in {str(row)[:100]!r}")
    return str(token)


def _whole(row: object) -> SeenFill | None:
    """A fill in parts of a share is not of an order of ours."""
    try:
        return seen_fill(row)
    except OutcomeUnknown:
        return None
