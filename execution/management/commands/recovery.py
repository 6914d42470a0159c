from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from typing_extensions import override

from deepstack.config import ConfigError
from execution import context
from execution.domain import reading
from execution.domain.exchange_time import exchange_time
from execution.management.console import BadInput, OperatorCommand, add_person
from execution.reconciliation import recovery
from execution.reconciliation.recovery import NotReleased, Report
from execution.risk import recovery_mode


class Command(OperatorCommand):
    help = (
        "Recovery mode, in which nothing is sent after a restore: compare every account with its"
        " broker and show what the broker knows and the database does not; --release ends it."
        " The exit code is 0 when there is no recovery mode (any more). See docs/restore.md."
    )

    permission = "execution.change_tradingstate"

    @override
    def asks_for_a_person(self, options: dict[str, Any]) -> bool:
        return bool(options["release"])

    @override
    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--release", action="store_true", help="end it; needs --reason")
        parser.add_argument("--reason", default="", type=reading.remark, help="for the record")
        add_person(parser)

    @override
    def handle(self, *args: Any, **options: Any) -> None:
        lasting = recovery_mode.check()
        if lasting is None:
            self._say({"recovery": None}, "no recovery mode", options)
            return
        try:
            at = context.default()
        except ConfigError as error:
            raise CommandError(str(error)) from None
        try:
            report = (
                recovery.release(at, by=options["by"], reason=options["reason"])
                if options["release"]
                else recovery.compare_all(lasting, at)
            )
        except NotReleased as error:
            raise BadInput(str(error)) from None
        self._say(as_plain(report), "\n".join(lines(report)), options)
        if report.recovery.released_at_real is None:
            raise SystemExit(1)

    def _say(self, plain: dict[str, Any], words: str, options: dict[str, Any]) -> None:
        if options["json"]:
            self.print_json(plain)
        else:
            self.stdout.write(words)


def lines(report: Report) -> list[str]:
    """For a person, who reads it before anything is sent again."""
    own = report.recovery
    since = f"recovery mode since {exchange_time(own.began_at_real)}: {own.cause}"
    found = [since]
    if own.backup_at_real:
        found.append(f"the backup is of {exchange_time(own.backup_at_real)}")
    for each in report.accounts:
        if each.problem:
            found.append(f"account {each.account}: not compared: {each.problem}")
            continue
        count = len(each.differences) or "no"
        found.append(f"account {each.account}: compared, {count} differences")
        found += [f"  {one.kind:<14} {one.words}" for one in each.differences]
    return [*found, _next_step(report)]


def _next_step(report: Report) -> str:
    own = report.recovery
    if own.released_at_real is None and not report.compared:
        return "nothing is sent before every account is compared: mend that, then run this again"
    if own.released_at_real is None:
        return (
            "when all of it is understood: manage.py recovery --release --by NAME --reason WHY."
            " A symbol whose position differs stays held until manage.py accept_break"
        )
    halted = f"; still halted {own.was_halted}" if own.was_halted else ""
    return f"released by {own.released_by}: {own.released_reason}{halted}"


def as_plain(report: Report) -> dict[str, Any]:
    own = report.recovery
    return {
        "recovery": {
            "cause": own.cause,
            "began": own.began_at_real,
            "backup": own.backup_at_real,
            "released": own.released_at_real,
            "released_by": own.released_by,
        },
        "accounts": [
            {
                "account": each.account,
                "problem": each.problem,
                "differences": [
                    {"kind": one.kind, "symbol": one.symbol, "words": one.words}
                    for one in each.differences
                ],
            }
            for each in report.accounts
        ],
    }
