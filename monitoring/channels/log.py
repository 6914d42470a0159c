"""The log of the service: always there."""

import logging

import structlog

from deepstack.config import Config
from monitoring.alerting.rules import AlertSeverity
from monitoring.models import Alert

LEVELS = {
    AlertSeverity.INFO: logging.INFO,
    AlertSeverity.WARNING: logging.WARNING,
    AlertSeverity.CRITICAL: logging.CRITICAL,
}

logger = structlog.get_logger("deepstack.alerts")


class LogChannel:
    def send(self, alert: Alert) -> None:
        ended = alert.event == "ENDED"
        logger.log(
            logging.INFO if ended else LEVELS[AlertSeverity(alert.severity)],
            alert.text,
            event_of_alert=str(alert.event),
            alert_id=alert.pk,
            kind=alert.kind,
            severity=str(alert.severity),
            account=alert.account,
            order_id=alert.order_id,
            raised_at=alert.raised_at.isoformat(),
        )


def from_config(config: Config) -> LogChannel:
    return LogChannel()
