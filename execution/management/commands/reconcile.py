from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from typing_extensions import override

from deepstack.config import ConfigError
from execution import context
from execution.broker.base import BrokerError
from execution.context import Context
from execution.management.console import BadInput, OperatorCommand, add_person
from execution.models import BrokerAccount, BrokerDifference
from execution.reconciliation import account_reconciliation
from execution.reconciliation.account_reconciliation import Busy, NotComparable, Report


class Command(OperatorCommand):
    help = (
        "Compare orders, executions, positions and cash with the broker. What was missed is"
        " booked; what still differs is shown, stored and alerted. Orders of others are left"
        " alone. The exit code is 0 if nothing differs."
    )

    permission = "execution.change_brokerdifference"

    @override
    def asks_for_a_person(self, options: dict[str, Any]) -> bool:
        return bool(options["accept"])

    @override
    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("account", nargs="*", help="default: every account with orders of ours")
        parser.add_argument(
            "--accept",
            action="store_true",
            help="take the broker's word for positions and cash: what differs was held before",
        )
        add_person(parser)

    @override
    def handle(self, *args: Any, **options: Any) -> None:
        try:
            at = context.default()
        except ConfigError as error:
            raise CommandError(str(error)) from None
        known = account_reconciliation.accounts(at)
        if strange := sorted(set(options["account"]) - set(known)):
            raise BadInput(f"account {strange[0]!r}: allowed are {', '.join(known)}")
        reports = [self._one(account, at, options) for account in options["account"] or known]
        if options["json"]:
            self.print_json({"broker": at.broker.name, "accounts": reports})
        if any(each["problem"] or each["differences"] for each in reports):
            raise SystemExit(1)

    def _one(self, account: str, at: Context, options: dict[str, Any]) -> dict[str, Any]:
        try:
            report = account_reconciliation.compare(
                account, at, thorough=True, patience=account_reconciliation.PATIENCE
            )
            accepted = len(report.differences)
            if options["accept"]:
                report = account_reconciliation.accept(account, at, by=options["by"])
            accepted -= len(report.differences)
        except (BrokerError, Busy, NotComparable, ValueError) as error:
            if not options["json"]:
                self.stdout.write(f"{at.broker.name} {account}: not compared: {error}")
            return {"account": account, "problem": str(error), "differences": []}
        if not options["json"]:
            self._show(report, accepted)
        return as_plain(report)

    def _show(self, report: Report, accepted: int) -> None:
        row = report.account
        self.stdout.write(
            f"{row}: cash {row.cash:,.2f}, buying power {row.buying_power:,.2f},"
            f" positions {_held(row)}"
        )
        for each in report.differences:
            self.stdout.write(f"  {each.kind:<14} {each.words}")
        if accepted:
            self.stdout.write(f"  accepted as held before: {accepted}")
        if not report.differences:
            self.stdout.write("  no difference")


def _held(row: BrokerAccount) -> str:
    held = [f"{shares:,} {symbol}" for symbol, shares in sorted(row.positions.items())]
    return ", ".join(held) or "none"


def as_plain(report: Report) -> dict[str, Any]:
    row = report.account
    return {
        "account": row.account,
        "problem": "",
        "compared": row.compared_at_real,
        "cash": row.cash,
        "buying_power": row.buying_power,
        "positions": row.positions,
        "held_before": {"cash": row.cash_beside, "positions": row.positions_beside},
        "differences": [_plain(each) for each in report.differences],
    }


def _plain(each: BrokerDifference) -> dict[str, Any]:
    return {
        "kind": each.kind,
        "subject": each.subject,
        "symbol": each.symbol,
        "ours": each.ours,
        "theirs": each.theirs,
        "words": each.words,
        "since": each.first_seen_at_real,
    }
