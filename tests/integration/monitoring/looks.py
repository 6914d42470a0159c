"""A look at the orders, the alerts that are stored by then, and a source that cannot answer."""

from execution.market.base import MarketData, MarketDataUnavailable
from execution.models import Order, OrderEvent
from monitoring.alerting import surveillance
from monitoring.clocks import Moment
from monitoring.models import Alert
from tests.integration.monitoring.rows import (
    CONFIG,
    LIMITS,
    NOW,
    add_event,
    replay,
)


def look(moment: Moment = NOW, market: MarketData | None = None) -> list[tuple[str, str]]:
    """Look, and return every alert that is stored by then."""
    surveillance.evaluate(moment=moment, config=CONFIG, limits=LIMITS, market=market or replay())
    return list(Alert.objects.order_by("id").values_list("kind", "severity"))


def conflict(order: Order) -> OrderEvent:
    data = {"execution_id": "e", "revision": 0, "quantity": 1, "price": "1"}
    return add_event(order, "FILL_CONFLICT", **data)


class Silent:
    """A source that cannot answer."""

    name = "silent"

    def bars(self, *args: object) -> list[object]:
        raise MarketDataUnavailable("down")

    def quote(self, *args: object) -> None:
        raise MarketDataUnavailable("down")

    def session(self, *args: object) -> None:
        raise MarketDataUnavailable("down")

    def next_session(self, *args: object) -> None:
        raise MarketDataUnavailable("down")
