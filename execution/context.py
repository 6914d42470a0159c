"""What a step of the flow works with: configuration, clock, market and broker, passed in."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache

from deepstack.config import Config, current
from execution.broker.order_manager import OrderManager
from execution.domain.risk_checks import Bounds
from execution.market import clock, market_data
from execution.market.base import MarketData
from execution.models import Order
from execution.orders import order_settings
from execution.orders.order_settings import Settings


@dataclass(frozen=True, slots=True)
class Context:
    config: Config
    market: MarketData
    broker: OrderManager
    now: Callable[[], datetime]
    own_settings: Settings = field(default_factory=dict)  # that go with each order from here

    def of(self, order: Order) -> "Context":
        """As the order's own settings make it."""
        if not order.own_settings:
            return self
        return replace(self, config=order_settings.applied(self.config, order.own_settings))

    @property
    def bounds(self) -> Bounds:
        limits = self.config.limits
        return Bounds(
            max_quantity=limits.max_order_quantity,
            max_notional=limits.max_order_notional,
            max_adv_share=limits.max_adv_share,
            collar=limits.price_collar,
            decision_collar=limits.decision_collar,
            max_quote_age=limits.max_quote_age_seconds,
            max_spread_bps=limits.max_spread_bps,
            max_position=limits.max_position,
            max_open_orders=limits.max_open_orders,
            max_orders_per_minute=limits.max_orders_per_minute,
            max_messages_per_minute=limits.max_messages_per_minute,
            max_daily_loss=limits.max_daily_loss,
            within_buying_power=limits.within_buying_power,
            max_portfolio_heat=limits.max_portfolio_heat,
            equity=limits.account_equity,
            duplicate_seconds=limits.duplicate_seconds,
        )


@cache
def default() -> Context:
    """The context of this process."""
    config = current()
    return Context(config, market_data(), OrderManager(config=config), clock.now)


def on(order_manager: OrderManager) -> Context:
    """The context of this process, with another order manager and its configuration.

    Raises ConfigError for what the workers could not keep to.
    """
    # Not above: the paper trader may set Django up, whose back office imports this module.
    from execution.broker.paper_trader import PaperTrader

    service, config = default(), order_manager.config
    if isinstance(paper := order_manager.broker, PaperTrader):
        order_settings.check_same(paper.config, "PaperTrader", config, service=service.config)
    own = order_settings.of(config, service.config)
    config = order_settings.applied(service.config, own).model_copy(
        update={"account": config.account}
    )
    return replace(service, broker=order_manager, config=config, own_settings=own)
