from argparse import ArgumentParser
from typing import Any

from typing_extensions import override

from execution.management.console import (
    OperatorCommand,
    add_scope,
    change_trading,
    scope_name,
    warn_of_unknown_key,
)
from execution.risk.kill_switch import State


class Command(OperatorCommand):
    help = "Let everything, or one symbol, account or strategy, trade again after a halt."

    permission = "execution.change_tradingstate"

    @override
    def add_arguments(self, parser: ArgumentParser) -> None:
        add_scope(parser)

    @override
    def handle(self, *args: Any, **options: Any) -> None:
        report = change_trading(options, State.ACTIVE)
        warn_of_unknown_key(report, self.stderr)
        row = report.state
        if options["json"]:
            self.print_json({"scope": row.scope, "key": row.key, "state": row.state})
            return
        self.stdout.write(f"ACTIVE: {scope_name(report)}, by {row.changed_by}")
        self.stdout.write(f"live orders: {len(report.orders)}")
