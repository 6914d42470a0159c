"""The day's costs, sent to the channels that ask: a few lines, and the report as a file."""

import tempfile
from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from pathlib import Path

import structlog
from django.db.models import F, Max

from deepstack.config import Config
from deepstack.config_alerts import AlertChannel
from execution.domain.exchange_time import exchange_day
from execution.domain.figures import counted
from monitoring.channels import channel_health, routing
from monitoring.channels.base import Channel, ReportChannel
from monitoring.channels.channel_health import Outcome
from monitoring.clocks import Moment
from monitoring.cost_report import figures, html_page, report
from monitoring.cost_report.period import Period
from monitoring.cost_report.report import Report
from monitoring.models import DailySummary, ReportDelivery

log = structlog.get_logger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=5), timedelta(hours=1)
MAX_ATTEMPTS = 10
# A channel that is set up today gets nothing of what was long ago.
OLDEST = timedelta(days=4)


def any_wanted(config: Config) -> bool:
    return any(rule.daily_report for rule in config.alerts.channels.values())


def send_due(*, moment: Moment, config: Config, channels: Mapping[str, Channel]) -> int:
    """Send the last summed day to each channel that wants it and has not had it; how many left.

    A channel that is for some accounts gets a report of each of them, and of no other. A process
    that dies between the sending and its record sends the report again.
    """
    sent = 0
    for name, rule in config.alerts.channels.items():
        channel = channels.get(name)
        if not rule.daily_report or not isinstance(channel, ReportChannel):
            continue
        for delivery in _due(name, rule, moment):
            if _claim(delivery, moment.real_now):
                outcome = _outcome(channel, delivery, moment)
                sent += _record(delivery, outcome, moment.real_now)
    return sent


def _due(name: str, rule: AlertChannel, moment: Moment) -> Iterator[ReportDelivery]:
    for account in rule.accounts or ("",):
        day = _last_day(account, moment.now)
        if day is None:
            continue
        delivery, _ = ReportDelivery.objects.get_or_create(
            channel=name,
            account=account,
            date=day,
            defaults={"next_try_at_real": routing.after_quiet_hours(rule, moment.real_now)},
        )
        open_ = delivery.sent_at_real is None and delivery.attempts < MAX_ATTEMPTS
        if open_ and delivery.next_try_at_real <= moment.real_now:
            yield delivery


def _last_day(account: str, now: datetime) -> date | None:
    """The last day that has a summary, if it is not too long ago to be sent."""
    summaries = DailySummary.objects.filter(date__gte=exchange_day(now) - OLDEST)
    if account:
        summaries = summaries.filter(account=account)
    found: date | None = summaries.aggregate(last=Max("date"))["last"]
    return found


def _claim(delivery: ReportDelivery, real_now: datetime) -> bool:
    """Count the try, unless another process just did."""
    pause = channel_health.pause(
        delivery.attempts + 1, first=FIRST_PAUSE, longest=LONGEST_PAUSE, retry_after=None
    )
    updated = ReportDelivery.objects.filter(
        pk=delivery.pk, sent_at_real__isnull=True, attempts=delivery.attempts
    ).update(attempts=F("attempts") + 1, next_try_at_real=real_now + pause)
    return updated == 1


def _outcome(channel: ReportChannel, delivery: ReportDelivery, moment: Moment) -> Outcome:
    found = report.of(Period(delivery.date, delivery.date), account=delivery.account)
    with tempfile.TemporaryDirectory(prefix="deepstack-report-") as folder:
        file = Path(folder) / f"tca-{delivery.date}.html"
        file.write_text(html_page.text(found, at=moment.now), encoding="utf-8")
        return channel_health.outcome_of(
            delivery.channel, lambda: channel.send_report(title(found), text(found), file)
        )


def _record(delivery: ReportDelivery, outcome: Outcome, real_now: datetime) -> bool:
    """Whether it was sent. What the channel refused is not tried again."""
    row = ReportDelivery.objects.filter(pk=delivery.pk)
    if not outcome.problem:
        row.update(sent_at_real=real_now, problem="")
        return True
    row.update(problem=outcome.problem[:300])
    if outcome.refused:
        row.update(attempts=MAX_ATTEMPTS)
    log.error(
        "daily report not delivered",
        channel=delivery.channel,
        date=str(delivery.date),
        refused=outcome.refused,
        problem=outcome.problem,
    )
    return False


def title(found: Report) -> str:
    return f"Executions of {found.period}, {found.account or 'all accounts'}"


def text(found: Report) -> str:
    """The headline figures in words, and the dearest order; + is a cost."""
    total = found.total
    if not total.executed:
        return "No order with an execution ended."
    lines = [
        f"{counted(total.executed, 'order')}, {figures.money(total.value)} executed",
        f"against arrival {_bps('arrival', found)}, estimated {_bps('estimated', found)}",
        f"against VWAP {_bps('vwap', found)}, shortfall {_bps('shortfall', found)}",
    ]
    if found.worst:
        dear = found.worst[0]
        order = f"{dear.order.pk} {dear.order.side} {dear.order.quantity:,} {dear.order.symbol}"
        lines.append(f"dearest: {order}, {figures.money(dear.cost)}: {dear.reason}")
    if total.preliminary:
        changing = counted(total.preliminary, "order")
        lines.append(f"preliminary: the market may still change {changing}")
    return "\n".join(lines)


def _bps(measure: str, found: Report) -> str:
    cell = figures.measured(measure, found.total)
    more = f" {cell.more}" if cell.more else ""
    return cell.text if cell.text == figures.NOT_KNOWN else f"{cell.text}{more} bps"
