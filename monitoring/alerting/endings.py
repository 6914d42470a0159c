"""When an alert about an order is over. Pure, like the rules.

A rule that finds nothing may merely lack a number: only what is known ends an alert.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal

from execution.domain.lifecycle import OrderStatus
from monitoring.alerting import rules
from monitoring.alerting.alert_kinds import OF_ORDERS, AlertKind
from monitoring.alerting.rules import ExecutionFacts, Thresholds

# The numbers of the alert when it was raised: its own threshold may be another than that of today.
Data = Mapping[str, object]
Over = Callable[[ExecutionFacts, Thresholds, Data], bool]


def is_over(kind: str, key: str, data: Data, facts: ExecutionFacts, limits: Thresholds) -> bool:
    """Whether the alert with this key, which no rule finds any more, has ended."""
    return kind in OF_ORDERS and OVER[AlertKind(kind)](facts, limits, {**data, "key": key})


def _slippage(facts: ExecutionFacts, limits: Thresholds, data: Data) -> bool:
    cost = facts.slippage_bps
    return cost is not None and cost <= _own(data, "threshold_bps", limits.slippage_bps)


def _vwap_deviation(facts: ExecutionFacts, limits: Thresholds, data: Data) -> bool:
    if facts.average_price is None or not facts.market_vwap:
        return False
    threshold, _ = rules.vwap_threshold(facts, limits)
    deviation = abs(facts.average_price / facts.market_vwap - 1)
    return deviation <= _own(data, "threshold", threshold)


def _slow_execution(facts: ExecutionFacts, limits: Thresholds, data: Data) -> bool:
    return rules.slow_execution(facts, limits) is None


def _overfilled(facts: ExecutionFacts, limits: Thresholds, data: Data) -> bool:
    return facts.filled <= facts.quantity


def _unknown_outcome(facts: ExecutionFacts, limits: Thresholds, data: Data) -> bool:
    lasting = (facts.unknown_since, facts.unconfirmed_since)
    key = str(data["key"])
    return not any(since and key.endswith(since.isoformat()) for since in lasting)


def _paused(facts: ExecutionFacts, limits: Thresholds, data: Data) -> bool:
    """Another pause than the one alerted is another alert."""
    found = rules.paused(facts, limits)
    return found is None or found.key != data["key"]


def _behind_schedule(facts: ExecutionFacts, limits: Thresholds, data: Data) -> bool:
    """Half way back to the schedule: it does not come and go with each slice."""
    if not facts.live or facts.status == OrderStatus.CANCELLING:
        return True
    if facts.scheduled is None:
        return False
    near = _own(data, "threshold", limits.behind_schedule) / 2
    return facts.scheduled - facts.filled <= near * facts.quantity


def _incomplete(facts: ExecutionFacts, limits: Thresholds, data: Data) -> bool:
    return facts.filled >= facts.quantity


OVER: Mapping[AlertKind, Over] = {
    AlertKind.SLIPPAGE: _slippage,
    AlertKind.SLOW_EXECUTION: _slow_execution,
    AlertKind.VWAP_DEVIATION: _vwap_deviation,
    AlertKind.BEHIND_SCHEDULE: _behind_schedule,
    AlertKind.INCOMPLETE: _incomplete,
    AlertKind.OVERFILLED: _overfilled,
    AlertKind.UNKNOWN_OUTCOME: _unknown_outcome,
    AlertKind.PAUSED: _paused,
}


def _own(data: Data, name: str, otherwise: Decimal) -> Decimal:
    given = data.get(name)
    return otherwise if given is None else Decimal(str(given))
