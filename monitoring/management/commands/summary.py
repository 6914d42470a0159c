"""The figures of a day, for a person or as JSON."""

import json
from argparse import ArgumentParser
from collections.abc import Sequence
from decimal import Decimal
from typing import IO, Any, cast

from django.core.management.base import CommandError
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text
from typing_extensions import override

from execution.domain import figures
from execution.domain.exchange_time import exchange_time
from execution.management.console import OperatorCommand, argument
from execution.models import Order
from monitoring.alerting.rules import AlertSeverity
from monitoring.models import Alert
from monitoring.monitor import ExecutionMonitor
from monitoring.reporting.payloads import Figures, QualityScore, Summary
from monitoring.trading_days import readable

STYLES = {
    AlertSeverity.INFO: "cyan",
    AlertSeverity.WARNING: "yellow",
    AlertSeverity.CRITICAL: "bold red",
}
MOST_ALERTS = 10
LABELS = {"on_time_rate": "on-time rate", "vwap_tracking": "VWAP tracking"}  # the others read so


class Command(OperatorCommand):
    help = "Show what a day came to: executions, costs, quality and alerts."

    @override
    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--date", type=argument(readable), help="YYYY-MM-DD, New York; by default today"
        )
        parser.add_argument("--account", help="by default all accounts together")

    @override
    def handle(self, *args: Any, **options: Any) -> None:
        account: str | None = options["account"]
        if account is not None and not Order.objects.filter(account=account).exists():
            known = ", ".join(
                Order.objects.values_list("account", flat=True).distinct().order_by("account")
            )
            raise CommandError(
                f"--account {account!r}: no such account has orders; known are {known or 'none'}",
                returncode=2,
            )
        monitor = ExecutionMonitor(account=account or "")
        summary = monitor.get_daily_summary(options["date"])
        score = monitor.get_execution_quality_score(options["date"])
        active = monitor.get_active_alerts()
        if options["json"]:
            report = {
                **summary,
                "quality": score,
                "active_alerts": [_plain(each) for each in active],
            }
            self.stdout.write(json.dumps(report, default=str, indent=2))
            return
        self._print(summary, score, active)

    def _print(self, summary: Summary, score: QualityScore, active: Sequence[Alert]) -> None:
        console = Console(file=cast("IO[str]", self.stdout))
        console.print(_totals(summary, score))
        if summary["by_algorithm"]:
            console.print(_algorithms(summary))
        if active:
            console.print(_alerts(active))


def _plain(alert: Alert) -> dict[str, object]:
    return {
        "id": alert.pk,
        "kind": alert.kind,
        "severity": alert.severity,
        "message": alert.message,
        "order_id": alert.order_id,
        "raised_at": alert.raised_at.isoformat(),
    }


def _totals(summary: Summary, score: QualityScore) -> Table:
    whose = summary["account"] or "all accounts"
    table = Table(
        title=f"{summary['date']}, {whose}", show_header=False, title_justify="left", box=SIMPLE
    )
    rows = [
        ("Orders ended", f"{summary['total_executions']:,}"),
        ("Filled", f"{summary['filled_orders']:,} ({summary['success_rate']:.1%})"),
        ("Failed", f"{summary['failed_orders']:,}"),
        ("Shares", f"{summary['total_volume']:,}"),
        ("Value", f"${summary['total_value']:,.2f}"),
        ("Commission", f"${summary['commission']:,.2f}"),
        *_costs(summary),
        *_preliminary(summary),
        ("Quality", _quality(score)),
        ("Alerts raised", _severities(summary)),
    ]
    for name, value in rows:
        table.add_row(name, value)
    return table


def _preliminary(summary: Summary) -> list[tuple[str, str]]:
    count = summary["preliminary_orders"]
    said = f"the market may still change the costs of {figures.counted(count, 'order')}"
    return [("Preliminary", said)] if count else []


def _costs(figures: Figures) -> list[tuple[str, str]]:
    return [
        ("Slippage, estimated", _bps(figures["estimated_slippage_bps"])),
        ("Slippage against arrival", _bps(figures["slippage_bps"])),
        ("Slippage against VWAP", _bps(figures["vwap_bps"])),
        ("Implementation shortfall", _bps(figures["shortfall_bps"])),
    ]


def _algorithms(summary: Summary) -> Table:
    table = Table(title="By algorithm, costs in bps", title_justify="left", box=SIMPLE)
    table.add_column("Name")
    for name in ("Orders", "Filled", "Shares", "Value", "Arrival", "VWAP", "Shortfall"):
        table.add_column(name, justify="right")
    for algorithm, found in summary["by_algorithm"].items():
        table.add_row(
            algorithm,
            f"{found['total_executions']:,}",
            f"{found['success_rate']:.0%}",
            f"{found['total_volume']:,}",
            f"${found['total_value']:,.0f}",
            _signed(found["slippage_bps"]),
            _signed(found["vwap_bps"]),
            _signed(found["shortfall_bps"]),
        )
    return table


def _alerts(active: Sequence[Alert]) -> Table:
    more = len(active) - MOST_ALERTS
    title = f"Active alerts: {len(active)}" + (f", the newest {MOST_ALERTS}" if more > 0 else "")
    table = Table("Raised", "Severity", "Message", title=title, title_justify="left", box=SIMPLE)
    for alert in active[:MOST_ALERTS]:
        severity = AlertSeverity(alert.severity)
        table.add_row(
            exchange_time(alert.raised_at),
            Text(severity, style=STYLES[severity]),
            Text(alert.message),
        )
    return table


def _quality(score: QualityScore) -> str:
    if not score["executions"]:
        return score["grade"]
    parts = ", ".join(
        f"{LABELS.get(name, name.replace('_', ' '))} {value:.0f}"
        for name, value in score["breakdown"].items()
    )
    return f"{score['quality_score']:.1f}/100, grade {score['grade']} ({parts})"


def _severities(summary: Summary) -> str:
    counts = [f"{count} {level}" for level, count in summary["alerts"].items() if count]
    return ", ".join(counts) or "none"


def _bps(value: Decimal | None) -> str:
    return "-" if value is None else f"{_signed(value)} bps"


def _signed(value: Decimal | None) -> str:
    """+ is a cost."""
    return "-" if value is None else figures.signed(value)
