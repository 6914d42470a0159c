"""Which alert takes which channel, and from when."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from deepstack.config import Config
from deepstack.config_alerts import AlertChannel
from execution.domain.exchange_time import NEW_YORK
from monitoring.alerting.rules import AlertSeverity
from monitoring.models import Alert


def takes(config: Config, channel: str, alert: Alert) -> bool:
    """The log and the webhook take all; of the others each what its settings say."""
    rule = config.alerts.channels.get(channel)
    return rule is None or _fits(rule, alert)


def _fits(rule: AlertChannel, alert: Alert) -> bool:
    severe = AlertSeverity(alert.severity).rank >= AlertSeverity(rule.min_severity).rank
    own = not rule.accounts or not alert.account or alert.account in rule.accounts
    return severe and own and (not rule.kinds or alert.kind in rule.kinds)


def leaves_at(config: Config, channel: str, alert: Alert, real_now: datetime) -> datetime:
    """`real_now`, or the end of the channel's quiet hours where they hold and it can wait."""
    rule = config.alerts.channels.get(channel)
    if rule is None or alert.severity == AlertSeverity.CRITICAL:
        return real_now
    return after_quiet_hours(rule, real_now)


def after_quiet_hours(rule: AlertChannel, real_now: datetime) -> datetime:
    """`real_now`, or the end of the channel's quiet hours where they hold."""
    if rule.quiet is None:
        return real_now
    begin, end = rule.quiet
    local = real_now.astimezone(NEW_YORK)
    now = local.time()
    over_midnight = begin > end
    inside = (now >= begin or now < end) if over_midnight else begin <= now < end
    if not inside:
        return real_now
    day = local.date() + timedelta(days=1 if over_midnight and now >= begin else 0)
    return datetime.combine(day, end, NEW_YORK).astimezone(real_now.tzinfo)


def of(config: Config, channels: Iterable[str], alert: Alert) -> list[str]:
    """The channels that take the alert."""
    return [
        channel
        for channel in channels
        # What a channel does not take goes to the others.
        if alert.data.get("channel") != channel and takes(config, channel, alert)
    ]
