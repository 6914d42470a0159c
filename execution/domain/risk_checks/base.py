"""What every check reads and answers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from execution.domain.exchange_time import readable

Number = int | float | str


@dataclass(frozen=True, slots=True)
class Denial:
    """Why we refused. `code` never changes its meaning; `numbers` are those that were compared.

    `waits`: something is not known yet. A parent is accepted then, and its children wait.
    """

    code: str
    numbers: Mapping[str, Number] = field(default_factory=dict)
    waits: bool = False

    def __str__(self) -> str:
        detail = ", ".join(f"{name}={readable(value)}" for name, value in self.numbers.items())
        return f"{self.code}: {detail}" if detail else self.code


@dataclass(frozen=True, slots=True)
class Heat:
    """Portfolio heat before and after an order: the sum over positions of |shares * price| x
    daily volatility, as a share of the account's equity."""

    before: Decimal
    after: Decimal


@dataclass(frozen=True, slots=True)
class Exposure:
    """What the account already has and does. None: nobody knows, or no bound asks for it.

    `position`: signed shares of the symbol, all fills. `pending`: shares on the order's side that
    the symbol's live parents may still execute; of the order itself only what works.
    `opposing`: the best limit of an own order that works on the other side; None: there is none.
    `duplicate_of`: an earlier order that is the same and came within `duplicate_seconds`, or None.
    `open_orders`: live parents of the account up to this one. `recent_orders`: of the strategy
    within the last minute of real time, this one included. `recent_messages`: what the account
    sent in it.
    `day_result`: money won (+) or lost (-) by today's fills. `unspent`: the buying power that the
    broker reported, less what buys were sent for since.
    """

    restricted: str | None = None  # why the symbol is on the list
    broken: tuple[str, str] | None = None  # shares by our records and by the broker's; None: equal
    position: int | None = None
    pending: int | None = None
    opposing: Decimal | None = None
    duplicate_of: str | None = None
    open_orders: int | None = None
    recent_orders: int | None = None
    recent_messages: int | None = None
    day_result: Decimal | None = None
    unspent: Decimal | None = None
    heat: Heat | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known about an order, or one child of it, when it is about to leave.

    `halts` are the trading states other than ACTIVE that apply, like ("SYMBOL AAPL", "HALTED").
    `halted_since`: the exchange has halted the symbol; None: not that anybody knows.
    `whole`: the shares of the order, where `quantity` is a part of it and the whole is looked at:
    an amended order's rest, or the child of an order whose value is not settled yet.
    `decision_price` and `would_price`: None also where they were compared with the market before.
    `protective_price`: what a share may cost at most where the broker works the order.
    """

    now: datetime
    side_sign: int
    quantity: int
    parent_quantity: int
    price: Decimal | None  # what a share is worth: see `worth`
    limit_price: Decimal | None
    average_daily_volume: int | None
    bid: Decimal | None
    ask: Decimal | None
    quoted_at: datetime | None
    halted_since: datetime | None
    halt_reason: str
    halts: tuple[tuple[str, str], ...]
    exposure: Exposure
    whole: int | None = None
    decision_price: Decimal | None = None
    would_price: Decimal | None = None
    protective_price: Decimal | None = None

    @property
    def size(self) -> int:
        """Shares of the order, or of the child, that a limit on one of them is compared with."""
        return self.quantity if self.whole is None else self.whole


@dataclass(frozen=True, slots=True)
class Bounds:
    """The tightest of all limits that apply to an order; None: no such limit."""

    max_quantity: int
    max_notional: Decimal
    max_adv_share: Decimal
    collar: Decimal  # of a limit, beyond the mid
    decision_collar: Decimal  # of a decision price, outside bid and ask
    max_quote_age: float  # seconds of trading time
    max_spread_bps: Decimal
    adv_required: bool = False  # an order of unknown daily volume is denied
    max_position: int | None = None  # shares of one symbol in one account, either way
    max_open_orders: int | None = None  # live parents of one account
    max_orders_per_minute: int | None = None  # of one strategy
    max_messages_per_minute: int | None = None  # of one account
    max_daily_loss: Decimal | None = None
    within_buying_power: bool = False  # of the account, for buys
    max_portfolio_heat: Decimal | None = None  # a share of equity
    equity: Decimal | None = None  # of the account
    duplicate_seconds: float = 0.0  # 0: the same order twice is two orders


Check = Callable[[Facts, Bounds], Denial | None]
