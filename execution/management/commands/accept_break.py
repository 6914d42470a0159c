from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from typing_extensions import override

from deepstack.config import ConfigError
from execution import context
from execution.domain import reading
from execution.management.console import BadInput, Once, OperatorCommand, add_person
from execution.reconciliation import break_acceptance


class Command(OperatorCommand):
    help = (
        "Accept a POSITION break: the shares that the broker has of a symbol count as held from now"
        " on, and its orders go on. First see what became of them: docs/restore.md."
    )

    permission = "execution.change_brokerdifference"

    @override
    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("symbol")
        parser.add_argument(
            "--account", action=Once, help="default: the account of the configuration"
        )
        add_person(parser)
        parser.add_argument("--reason", required=True, type=reading.remark)

    @override
    def handle(self, *args: Any, **options: Any) -> None:
        try:
            at = context.default()
        except ConfigError as error:
            raise CommandError(str(error)) from None
        account = options["account"] or at.config.account
        open_break = break_acceptance.find(account, options["symbol"], at)
        try:
            taken = break_acceptance.accept(
                open_break.pk, by=options["by"], reason=options["reason"], now=at.now()
            )
        except ValueError as error:
            raise BadInput(str(error)) from None
        if options["json"]:
            facts = {name: getattr(taken, name) for name in ("id", "symbol", "ours", "theirs")}
            self.print_json({**facts, "account": account, "accepted_by": taken.accepted_by})
            return
        self.stdout.write(
            f"accepted by {taken.accepted_by}: {taken.theirs} {taken.symbol} in account"
            f" {account}, where we had {taken.ours}; its orders go on"
        )
