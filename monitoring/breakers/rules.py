"""When a circuit breaker trips, and what it then holds. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from shlex import quote

from deepstack.config_breakers import Breaker
from monitoring.alerting.alert_kinds import AlertKind
from monitoring.alerting.rules import AlertSeverity, Finding

# What is counted up over the day, or over an order's life: resuming does not take it back. The
# others are counted anew from the resume on.
CUMULATIVE = frozenset({"order_slippage", "symbol_slippage", "day_slippage", "daily_loss"})
# Of a threshold and of what was measured.
UNITS: Mapping[str, str] = {
    "order_slippage": "{:.1f} bps of cost against arrival",
    "symbol_slippage": "{:.1f} bps of cost against arrival today",
    "day_slippage": "{:.1f} bps of cost against arrival today",
    "reject_rate": "{:.1%} of the children refused",
    "daily_loss": "{:,.0f} dollars lost today",
    "stale_data": "{:.0f} s without a usable quote",
    "runaway": "{:,.0f} children",
}
BY = "breaker {}"  # who halts or pauses, in the records


@dataclass(frozen=True, slots=True)
class Reading:
    """What was measured of one subject: as much of it as is known is named."""

    breaker: str
    value: Decimal
    account: str = ""
    symbol: str = ""
    strategy: str = ""
    order_id: int | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """What an action holds: an order, or a scope of the trading states with its key."""

    scope: str
    key: str

    def __str__(self) -> str:
        return f"{self.scope} {self.key}".strip()


def target(reading: Reading, action: str) -> Target:
    """Where the narrow scope has no name, such as a strategy that an order does not name, the next
    wider one is held."""
    if action == "PAUSE_ORDER" and reading.order_id is not None:
        return Target("ORDER", str(reading.order_id))
    named = {"SYMBOL": reading.symbol, "STRATEGY": reading.strategy, "ACCOUNT": reading.account}
    scope = action.removeprefix("HALT_")
    for each in (scope, "ACCOUNT") if scope != "ALL" else ():
        if named.get(each):
            return Target(each, named[each])
    return Target("SYSTEM", "")


def trips(reading: Reading, setting: Breaker, resumed_at: Decimal | None) -> bool:
    """`resumed_at`: what had been measured when a person last resumed what this breaker held, of
    the same subject and day; it takes another threshold beyond that to trip again."""
    if setting.threshold is None:
        return False
    bound = setting.threshold
    if resumed_at is not None and reading.breaker in CUMULATIVE:
        bound += resumed_at
    return reading.value >= bound


def shown(name: str, value: Decimal) -> str:
    return UNITS[name].format(value).replace(".0%", "%")


def reason(reading: Reading, setting: Breaker) -> str:
    """For the trading state, the order and the audit trail."""
    bound = shown(reading.breaker, setting.threshold or Decimal(0))
    return f"{shown(reading.breaker, reading.value)}; the breaker's threshold is {bound}"


def finding(
    *, number: int, name: str, held: Target, measured: str, account: str, until: str
) -> Finding:
    """The alert of a breaker that holds something."""
    order = held.scope == "ORDER"
    where = f"order {held.key} is paused" if order else f"{held} is halted".lower()
    if held.scope == "SYSTEM":
        resume = "manage.py resume_trading --reason WHY"
    elif order:
        resume = f"manage.py resume {held.key} (or cancel it)"
    else:
        resume = f"manage.py resume_trading --{held.scope.lower()} {quote(held.key)} --reason WHY"
    return Finding(
        kind=AlertKind.BREAKER,
        severity=AlertSeverity.CRITICAL,
        message=f"breaker {name} tripped: {measured}; {where}",
        key=f"BREAKER:{number}",
        account=account,
        data={"breaker": name, "scope": held.scope, "key": held.key},
        remedy=f"Find and remove the cause; then {resume}, not before {until}.",
    )
