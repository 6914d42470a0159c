"""The thresholds of the alert rules, from the configuration."""

from decimal import Decimal

from deepstack.config import Config
from monitoring.alerting.rules import Thresholds
from monitoring.clocks import Moment

# Seconds of real time.
SETTLING = 30.0  # from an order's end to the confirmation of its last cancel
REPORTING = 5.0  # from an execution to its row
UNKNOWN = 60.0  # the resolver has asked the broker several times by then


def of(config: Config, moment: Moment) -> Thresholds:
    rules, scheduling = config.execution.monitoring, config.execution.scheduling
    return Thresholds(
        slippage_bps=Decimal(str(rules.slippage_alert_threshold)),
        vwap_deviation=Decimal(str(rules.vwap_deviation_threshold)),
        failed_orders=rules.failed_order_threshold,
        slow_factor=rules.slow_execution_factor,
        rejected_children=rules.failed_order_threshold,
        settling=moment.trading(SETTLING),
        unknown=moment.trading(UNKNOWN),
        reporting=moment.trading(REPORTING),
        behind_schedule=Decimal(str(rules.behind_schedule_threshold)),
        late=moment.trading(scheduling.missed_grace_seconds),
        vwap_multiple=_decimal(rules.vwap_deviation_multiple),
        deviation_of_vwap_orders=_decimal(config.execution.vwap.deviation_threshold),
    )


def _decimal(value: float | None) -> Decimal | None:
    return None if value is None else Decimal(str(value))
