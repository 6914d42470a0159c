from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from typing_extensions import override

from execution.management.console import (
    OperatorCommand,
    add_scope,
    change_trading,
    scope_name,
    warn_of_unknown_key,
)
from execution.risk.kill_switch import HaltReport, State


class Command(OperatorCommand):
    help = (
        "Stop all sends at once and cancel what works at the broker, for everything or for one"
        " symbol, account or strategy. Orders live on until trading is resumed."
    )
    requires_system_checks = ()  # trading can be stopped however wrong the configuration is

    @override
    def add_arguments(self, parser: ArgumentParser) -> None:
        add_scope(parser, stops=True)

    @override
    def handle(self, *args: Any, **options: Any) -> None:
        report = change_trading(options, State.HALTED)
        warn_of_unknown_key(report, self.stderr)
        if options["json"]:
            self.print_json(as_plain(report))
            return
        self.stdout.write(f"HALTED: {scope_name(report)}, by {report.state.changed_by}")
        if report.quiet:
            self.stdout.write("no send is under way, and none can begin")
        else:
            self.stdout.write("sends that began before are still under way: run this again")
        if not report.cancels_enqueued:
            self.stdout.write("Redis does not answer: the workers have no task to cancel yet")
        self.stdout.write(
            f"live orders: {len(report.orders)}, children not confirmed as ended:"
            f" {report.unconfirmed}"
        )
        for order in report.orders:
            if order.unconfirmed:
                self.stdout.write(f"  order {order.order_id}: {order.unconfirmed}")


def as_plain(report: HaltReport) -> dict[str, Any]:
    row = report.state
    return {
        "scope": row.scope,
        "key": row.key,
        "state": row.state,
        "quiet": report.quiet,
        "cancels_enqueued": report.cancels_enqueued,
        "unconfirmed": report.unconfirmed,
        "orders": [asdict(order) for order in report.orders],
    }
