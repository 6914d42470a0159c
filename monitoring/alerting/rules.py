"""When an execution must be shown to a person.

Each rule reads an order's facts and the thresholds, and answers with a finding or None. What is
not known gives no finding. To add a rule, write one function and add its line to RULES.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import ROUND_FLOOR, Decimal
from enum import StrEnum

from execution.domain import unexecuted
from execution.domain.algorithms import registry
from execution.domain.exchange_time import exchange_time
from execution.domain.figures import beside, counted
from execution.domain.lifecycle import ORDER_LIVE, ORDER_SENDING, OrderStatus, has_failed
from monitoring.alerting.alert_kinds import AlertKind

__all__ = ["AlertKind", "AlertSeverity", "ExecutionFacts", "Finding", "Thresholds", "judge"]

HUNDREDTH_PERCENT = Decimal("0.0001")


class AlertSeverity(StrEnum):
    """INFO: worth knowing. WARNING: look at it today. CRITICAL: look at it now.

    A threshold passed is a WARNING; passed more than twice over, CRITICAL.
    """

    INFO = "INFO"
    WARNING = "WARNING"
    CRITICAL = "CRITICAL"

    @property
    def rank(self) -> int:
        return list(AlertSeverity).index(self)


JUDGED_FROM = 0.25  # of the shares ordered


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Where the rules draw their lines; the durations are trading time."""

    slippage_bps: Decimal
    vwap_deviation: Decimal  # a fraction of the market VWAP, where nothing better is known
    failed_orders: int  # a day, of one account and strategy
    slow_factor: float  # of the planned window
    rejected_children: int  # of one order
    settling: timedelta  # an order's end and the confirmation of its cancels take this long
    unknown: timedelta
    late: timedelta
    reporting: timedelta = timedelta(seconds=5)  # an execution is known by then
    behind_schedule: Decimal = Decimal("0.1")  # of the shares ordered
    # Beyond so many times what is typical of the symbol; None: never by what is typical.
    vwap_multiple: Decimal | None = None
    # In place of `vwap_deviation` for orders that follow the VWAP; None: the same.
    deviation_of_vwap_orders: Decimal | None = None


@dataclass(frozen=True, slots=True)
class ExecutionFacts:
    """One parent order as it stands at `now`. None: not known.

    `slippage_bps` is the own average price against the mid at arrival, + = cost.
    `market_vwap` is that of the order's window so far, `typical_vwap_deviation_bps` how far from it
    such an order of the symbol ends that goes well, `asked_vwap_deviation` the order's own
    threshold, a fraction. `failed_today` counts the failures of the
    order's account and strategy on the order's exchange date, this order included.
    """

    order_id: int
    account: str
    strategy: str
    symbol: str
    side: str
    algorithm: str
    status: OrderStatus
    reason: str
    quantity: int
    filled: int
    day: str
    start_at: datetime
    end_at: datetime
    finished_at: datetime | None
    now: datetime
    average_price: Decimal | None = None
    market_vwap: Decimal | None = None
    typical_vwap_deviation_bps: float | None = None
    asked_vwap_deviation: Decimal | None = None
    slippage_bps: Decimal | None = None
    estimated_slippage_bps: float | None = None
    failed_today: int | None = None
    rejected_children: int = 0
    unknown_since: datetime | None = None  # when the oldest child of unknown outcome was sent
    unconfirmed_since: datetime | None = None  # when a child was asked about in vain too often
    pause: int | None = None  # which of its pauses a paused order is in
    scheduled: int | None = None  # shares that should be executed by now
    halted: bool = False  # a trading state keeps it from sending

    @property
    def label(self) -> str:
        return label(self.order_id, self.side, self.quantity, self.symbol, self.algorithm)

    @property
    def live(self) -> bool:
        return self.status in ORDER_LIVE

    @property
    def barely_begun(self) -> bool:
        """The prices of a live order's first few shares say little."""
        return self.live and self.filled < JUDGED_FROM * self.quantity

    @property
    def failed(self) -> bool:
        return has_failed(self.status, self.filled)


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule saw. `key` names the occasion: findings with one key are one alert. `remedy`
    stands in place of the one that its kind has."""

    kind: AlertKind
    severity: AlertSeverity
    message: str
    key: str
    account: str = ""
    order_id: int | None = None
    data: Mapping[str, object] = field(default_factory=dict)
    remedy: str = ""


Rule = Callable[[ExecutionFacts, Thresholds], Finding | None]


def slippage(facts: ExecutionFacts, limits: Thresholds) -> Finding | None:
    """Cost against the arrival mid above the threshold. An improvement never alerts."""
    cost = facts.slippage_bps
    if cost is None or cost <= limits.slippage_bps or facts.barely_begun:
        return None
    return _of_order(
        facts,
        AlertKind.SLIPPAGE,
        _severity(cost, limits.slippage_bps),
        f"slippage {beside(cost, limits.slippage_bps, places=1):f} bps against the arrival mid, "
        f"above {limits.slippage_bps:g} bps",
        slippage_bps=f"{cost:.4f}",
        threshold_bps=f"{limits.slippage_bps:f}",
        estimated_slippage_bps=facts.estimated_slippage_bps,
    )


def failed_orders(facts: ExecutionFacts, limits: Thresholds) -> Finding | None:
    """As many failures as the threshold in one account and strategy within one exchange date."""
    count = facts.failed_today
    if not facts.failed or count is None or count < limits.failed_orders:
        return None
    severity = (
        AlertSeverity.CRITICAL if count >= 2 * limits.failed_orders else AlertSeverity.WARNING
    )
    whose = f"account {facts.account}" + (f", strategy {facts.strategy}" if facts.strategy else "")
    why = f": {facts.reason}" if facts.reason else ""
    return Finding(
        kind=AlertKind.FAILED_ORDERS,
        severity=severity,
        message=f"{counted(count, 'failed order')} on {facts.day} ({whose}); "
        f"the last, order {facts.order_id}, {facts.status}{why}",
        key=f"FAILED_ORDERS:{facts.account}:{facts.strategy}:{facts.day}",
        account=facts.account,
        order_id=facts.order_id,
        data={"failed": count, "threshold": limits.failed_orders, "reason": facts.reason},
    )


def slow_execution(facts: ExecutionFacts, limits: Thresholds) -> Finding | None:
    """Finished later than `slow_factor` planned windows after its start, or live after its end."""
    if facts.status == OrderStatus.DENIED:
        return None
    window = facts.end_at - facts.start_at
    taken = (facts.finished_at or facts.now) - facts.start_at
    slow = taken > limits.slow_factor * window
    overdue = facts.live and facts.now > facts.end_at + limits.settling
    if not slow and not overdue:
        return None
    doing = f"still {facts.status}" if facts.live else facts.status.value
    return _of_order(
        facts,
        AlertKind.SLOW_EXECUTION,
        AlertSeverity.CRITICAL
        if taken > 2 * limits.slow_factor * window
        else AlertSeverity.WARNING,
        f"{doing} after {_minutes(taken)} of a planned {_minutes(window)}, "
        f"{facts.filled:,} of {facts.quantity:,} shares executed",
        taken_seconds=taken.total_seconds(),
        planned_seconds=window.total_seconds(),
    )


def vwap_deviation(facts: ExecutionFacts, limits: Thresholds) -> Finding | None:
    """Own average price away from the market VWAP of the window, to either side."""
    if facts.average_price is None or not facts.market_vwap or facts.barely_begun:
        return None
    deviation = facts.average_price / facts.market_vwap - 1
    threshold, why = vwap_threshold(facts, limits)
    if abs(deviation) <= threshold:
        return None
    bound = threshold.quantize(HUNDREDTH_PERCENT, ROUND_FLOOR)
    shown = beside(deviation, bound, -bound, places=4)
    return _of_order(
        facts,
        AlertKind.VWAP_DEVIATION,
        _severity(abs(deviation), threshold),
        f"average price {facts.average_price:.4f} is {shown:+%} from the market VWAP "
        f"{facts.market_vwap:.4f}, beyond {bound:%}, {why}",
        deviation=f"{deviation:.6f}",
        threshold=f"{threshold:f}",
        typical_deviation_bps=facts.typical_vwap_deviation_bps,
    )


def vwap_threshold(facts: ExecutionFacts, limits: Thresholds) -> tuple[Decimal, str]:
    """A fraction of the market VWAP, and where it is from: what the order asks for, else so many
    times what is typical of its symbol, else the constant."""
    usual = facts.typical_vwap_deviation_bps
    if facts.asked_vwap_deviation is not None:
        return facts.asked_vwap_deviation, "as the order asks"
    if not usual or limits.vwap_multiple is None:
        if facts.algorithm == "VWAP" and limits.deviation_of_vwap_orders is not None:
            return limits.deviation_of_vwap_orders, "the threshold of VWAP orders"
        return limits.vwap_deviation, "the threshold of all"
    threshold = limits.vwap_multiple * Decimal(str(usual)) / 10_000
    return threshold, f"{limits.vwap_multiple:g} times what is typical of the symbol"


def overfilled(facts: ExecutionFacts, limits: Thresholds) -> Finding | None:
    """More shares executed than ordered."""
    if facts.filled <= facts.quantity:
        return None
    return _of_order(
        facts,
        AlertKind.OVERFILLED,
        AlertSeverity.CRITICAL,
        f"{facts.filled:,} shares executed of {facts.quantity:,} ordered: "
        f"{facts.filled - facts.quantity:,} too many",
        excess=facts.filled - facts.quantity,
    )


def unknown_outcome(facts: ExecutionFacts, limits: Thresholds) -> Finding | None:
    """A child whose fate, or whose end, the broker has not reported for too long; its shares count
    as working."""
    since = facts.unknown_since
    if since is not None and facts.now - since > limits.unknown:
        text = f"a child sent at {exchange_time(since)} is still of unknown outcome"
    elif since := facts.unconfirmed_since:
        text = f"asked until {exchange_time(since)}, the broker has not confirmed a child's state"
    else:
        return None
    return _of_order(
        facts,
        AlertKind.UNKNOWN_OUTCOME,
        AlertSeverity.CRITICAL,
        text,
        occasion=since.isoformat(),
    )


def broker_rejects(facts: ExecutionFacts, limits: Thresholds) -> Finding | None:
    """The broker refused as many children of one order as the threshold."""
    count = facts.rejected_children
    if count < limits.rejected_children:
        return None
    return _of_order(
        facts,
        AlertKind.BROKER_REJECTS,
        AlertSeverity.CRITICAL if count >= 2 * limits.rejected_children else AlertSeverity.WARNING,
        f"the broker refused {count} child{'' if count == 1 else 'ren'}",
        rejected=count,
        threshold=limits.rejected_children,
    )


def paused(facts: ExecutionFacts, limits: Thresholds) -> Finding | None:
    """An order that waits for a person."""
    if facts.status != OrderStatus.PAUSED:
        return None
    return _of_order(
        facts,
        AlertKind.PAUSED,
        AlertSeverity.WARNING,
        f"paused: {facts.reason or 'no reason given'}",
        occasion=str(facts.pause or ""),
    )


def behind_schedule(facts: ExecutionFacts, limits: Thresholds) -> Finding | None:
    """Executed less than the slices that are over should have by more than the threshold."""
    if facts.status not in ORDER_SENDING or facts.halted or facts.scheduled is None:
        return None
    behind = facts.scheduled - facts.filled
    if behind <= limits.behind_schedule * facts.quantity:
        return None
    share, bound = Decimal(behind) / facts.quantity, limits.behind_schedule.normalize()
    return _of_order(
        facts,
        AlertKind.BEHIND_SCHEDULE,
        _severity(share, limits.behind_schedule),
        f"{facts.filled:,} shares executed where {facts.scheduled:,} were scheduled by now: "
        f"{beside(share, bound):%} of the order behind, more than {bound:%}",
        scheduled=facts.scheduled,
        filled=facts.filled,
        threshold=f"{limits.behind_schedule:f}",
    )


def incomplete(facts: ExecutionFacts, limits: Thresholds) -> Finding | None:
    """Over by itself with shares that were never executed: CRITICAL when most of them were not.

    A limit order whose price was not reached did what it was asked: INFO; one that a halt, a
    broker or a limit of ours held back did not. What a person cancelled is no surprise, and what
    was denied never began.
    """
    rest = facts.quantity - facts.filled
    if facts.status not in (OrderStatus.EXPIRED, OrderStatus.REJECTED) or rest <= 0:
        return None
    severity = AlertSeverity.CRITICAL if 2 * rest > facts.quantity else AlertSeverity.WARNING
    patient = registry.of(facts.algorithm).rests and facts.status == OrderStatus.EXPIRED
    if patient and unexecuted.by_the_market(facts.reason):
        severity = AlertSeverity.INFO
    what = f" with {rest:,} of {facts.quantity:,} shares not executed"
    if facts.reason.startswith(unexecuted.sentence(rest, facts.quantity, None)):
        what = ""  # the reason says it
    why = f": {facts.reason}" if facts.reason else ""
    return _of_order(
        facts,
        AlertKind.INCOMPLETE,
        severity,
        f"{facts.status}{what}{why}",
        rest=rest,
        reason=facts.reason,
    )


RULES: tuple[Rule, ...] = (
    slippage,
    failed_orders,
    slow_execution,
    vwap_deviation,
    overfilled,
    unknown_outcome,
    broker_rejects,
    paused,
    behind_schedule,
    incomplete,
)


def judge(facts: ExecutionFacts, limits: Thresholds) -> list[Finding]:
    """What every rule finds in one order."""
    return [finding for rule in RULES if (finding := rule(facts, limits)) is not None]


def _of_order(
    facts: ExecutionFacts,
    kind: AlertKind,
    severity: AlertSeverity,
    text: str,
    *,
    occasion: str = "",
    **data: object,
) -> Finding:
    """One alert per order, kind and occasion, of whatever severity: it escalates in place."""
    key = f"{kind}:order:{facts.order_id}" + (f":{occasion}" if occasion else "")
    return Finding(
        kind=kind,
        severity=severity,
        message=f"{facts.label}: {text}",
        key=key,
        account=facts.account,
        order_id=facts.order_id,
        data=data,
    )


def label(order_id: int, side: str, quantity: int, symbol: str, algorithm: str) -> str:
    """How every message names its order."""
    return f"order {order_id} {side} {quantity:,} {symbol} {algorithm}"


def _severity(value: Decimal, threshold: Decimal) -> AlertSeverity:
    return AlertSeverity.CRITICAL if value > 2 * threshold else AlertSeverity.WARNING


def _minutes(span: timedelta) -> str:
    return f"{span.total_seconds() / 60:.1f} min"
