"""Settings of the circuit breakers: what trips each, what it then does, and for how long.

None has a threshold until somebody sets one: what is much depends on what is traded.
"""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from deepstack.config_types import Money, Positive, PositiveMinutes, Section, Share

Threshold = Annotated[Decimal, Field(gt=0, le=10**15)]
_Bps = Annotated[Decimal, Field(gt=0, le=10_000)]


class Breaker(Section):
    """`action` is taken by whoever watches; trading goes on when a named person resumes it, and
    not before `cooldown_minutes` are over."""

    threshold: Threshold | None = None
    action: str = "HALT_ALL"
    cooldown_minutes: Annotated[float, Field(ge=0, le=1_440)] = 15.0


class OrderSlippage(Breaker):
    threshold: _Bps | None = None  # of one live order's cost against its arrival price
    action: Literal["PAUSE_ORDER", "HALT_SYMBOL", "HALT_STRATEGY", "HALT_ACCOUNT", "HALT_ALL"] = (
        "PAUSE_ORDER"
    )
    least_value: Money = Decimal(10_000)  # dollars executed, below which nothing is judged


class SymbolSlippage(Breaker):
    threshold: _Bps | None = None  # of the day's orders of an account in one symbol, by value
    action: Literal["HALT_SYMBOL", "HALT_ACCOUNT", "HALT_ALL"] = "HALT_SYMBOL"
    least_value: Money = Decimal(10_000)


class DaySlippage(Breaker):
    threshold: _Bps | None = None  # of all orders of an account today, by value
    action: Literal["HALT_ACCOUNT", "HALT_ALL"] = "HALT_ACCOUNT"
    least_value: Money = Decimal(100_000)


class RejectRate(Breaker):
    threshold: Share | None = None  # of the children of an account in the window
    action: Literal["HALT_ACCOUNT", "HALT_ALL"] = "HALT_ACCOUNT"
    window_minutes: PositiveMinutes = 5.0
    least_children: Positive = 10  # in the window, below which nothing is judged


class DailyLoss(Breaker):
    threshold: Threshold | None = None  # dollars: the day's trades of an account, at today's mids
    action: Literal["HALT_ACCOUNT", "HALT_ALL"] = "HALT_ACCOUNT"


class StaleData(Breaker):
    threshold: Threshold | None = None  # seconds that a due slice waits for a usable quote
    action: Literal["HALT_SYMBOL", "HALT_ALL"] = "HALT_SYMBOL"
    cooldown_minutes: Annotated[float, Field(ge=0, le=1_440)] = 1.0


class Runaway(Breaker):
    threshold: Threshold | None = None  # children of one strategy in an account in the window
    action: Literal["HALT_STRATEGY", "HALT_ACCOUNT", "HALT_ALL"] = "HALT_STRATEGY"
    window_minutes: PositiveMinutes = 1.0


class Breakers(Section):
    order_slippage: OrderSlippage = OrderSlippage()
    symbol_slippage: SymbolSlippage = SymbolSlippage()
    day_slippage: DaySlippage = DaySlippage()
    reject_rate: RejectRate = RejectRate()
    daily_loss: DailyLoss = DailyLoss()
    stale_data: StaleData = StaleData()
    runaway: Runaway = Runaway()

    def by_name(self) -> dict[str, Breaker]:
        return {name: getattr(self, name) for name in type(self).model_fields}
