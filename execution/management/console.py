"""How the commands speak: results on standard output, errors on standard error, exit code 2 for
what was asked wrongly and 1 for what could not be done."""

import getpass
import json
import textwrap
from argparse import (
    REMAINDER,
    Action,
    ArgumentError,
    ArgumentParser,
    ArgumentTypeError,
    Namespace,
)
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import IO, Any, cast
from zoneinfo import ZoneInfo

from django.core.management.base import (
    BaseCommand,
    CommandError,
    OutputWrapper,
    SystemCheckError,
)
from django.core.serializers.json import DjangoJSONEncoder
from django.db import DatabaseError, ProgrammingError
from rich.console import Console
from typing_extensions import override

from deepstack import logs
from deepstack.config import current
from deepstack.database.sessions import in_words, is_away
from execution.checks import CONFIGURATION
from execution.domain.reading import LONGEST_PERSON, Reader, one_line, person, remark, whole
from execution.domain.signal import InvalidSignal
from execution.entry import order_controls
from execution.entry.order_controls import NotAllowed
from execution.entry.readiness import NOT_TAKEN
from execution.entry.submission import NoLiveWorker
from execution.management import operator
from execution.market import clock
from execution.market.base import MarketDataUnavailable
from execution.models import Order, Via
from execution.orders import caller
from execution.orders.results import result_of
from execution.risk import kill_switch
from execution.risk.kill_switch import HaltReport, Scope
from execution.risk.second_person import SecondPersonNeeded

PIPED_WIDTH = 140
USAGE_WIDTH = 72  # after "usage: "
ORDER_ID = whole(2**63 - 1)


def argument(read: Reader) -> Callable[[str], Any]:
    """The type of an option that is read as strictly as a signal's fields."""

    def typed(text: str) -> Any:
        try:
            return read(text)
        except ValueError as error:
            raise ArgumentTypeError(str(error)) from None

    return typed


class BadInput(CommandError):
    """The command was asked wrongly; nothing was changed."""

    def __init__(self, text: str) -> None:
        super().__init__(text, returncode=2)


class OperatorCommand(BaseCommand):
    """A command whose refusals are sentences, with `--json` where it has a result."""

    requires_system_checks: tuple[str, ...] = (CONFIGURATION,)
    speaks_json = True
    # What the person must be allowed in live trading; empty: nobody is asked for a token.
    permission = ""

    def asks_for_a_person(self, options: dict[str, Any]) -> bool:
        """Whether what was asked for lets something trade."""
        return bool(self.permission)

    @override
    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        parser = super().create_parser(prog_name, subcommand, **kwargs)
        if self.speaks_json:
            parser.add_argument("--json", action="store_true", help="print the result as JSON")
        parser.usage = _short_usage(parser)
        return parser

    @override
    def execute(self, *args: Any, **options: Any) -> str | None:
        try:
            return self._execute(*args, **options)
        except CommandError as error:
            asked = options.get("traceback") or isinstance(error, SystemCheckError)
            if asked or not self._called_from_command_line:  # type: ignore[attr-defined]  # Django's
                raise
            # Django would begin with the name of the exception's class.
            self.stderr.write(str(error))
            raise SystemExit(error.returncode) from None

    def _execute(self, *args: Any, **options: Any) -> str | None:
        acting = caller.acting(Via.CLI)
        if self.asks_for_a_person(options) and current().trading_mode == "live":
            self.check(tags=self.requires_system_checks)  # what is set up wrongly is said first
            with refusals():
                user = operator.person(options.get("by"), self.permission)
            options["by"] = user.get_username()
            acting = caller.acting(Via.CLI, user.get_username, lambda: user)
        elif who := options.get("by"):
            acting = caller.acting(Via.CLI, lambda: str(who))
        with logs.only_warnings_on_the_console(), acting, refusals():
            try:
                return super().execute(*args, **options)
            except Order.DoesNotExist:
                raise BadInput(f"there is no order {options['order']}") from None

    def print_json(self, value: object) -> None:
        self.stdout.write(json.dumps(value, cls=DjangoJSONEncoder, indent=2))

    @property
    def out(self) -> Console:
        width = None if self.stdout.isatty() else PIPED_WIDTH
        return Console(file=cast(IO[str], self.stdout), highlight=False, width=width)

    @property
    def err(self) -> Console:
        """For what is shown under way, so that results can be piped."""
        return Console(stderr=True, highlight=False)


def _short_usage(parser: ArgumentParser) -> str:
    """What must be given. An error stands below it, which a list of all options would hide."""
    needed = [
        action
        for action in parser._actions
        if action.required and action.nargs not in ("?", "*", REMAINDER)
    ]
    words = " ".join([parser.prog, *map(_shown, needed), "[options]; --help lists them"])
    return textwrap.fill(words, USAGE_WIDTH, subsequent_indent=" " * len("usage: "))


def _shown(action: Action) -> str:
    name = str(action.metavar or action.dest.upper())
    return f"{action.option_strings[0]} {name}" if action.option_strings else name


@contextmanager
def refusals() -> Iterator[None]:
    try:
        yield
    except InvalidSignal as error:
        lines = [f"  {field}: {text}" for field, text in error.errors.items()]
        if error.left_out:
            lines.append(f"  and {error.left_out:,} more")
        raise BadInput("\n".join(["nothing was stored:", *lines])) from None
    except operator.NotShown as error:
        raise BadInput(str(error)) from None
    except (*NOT_TAKEN, NotAllowed, NoLiveWorker, SecondPersonNeeded) as error:
        raise CommandError(str(error)) from None
    except MarketDataUnavailable as error:
        raise CommandError(f"the market data source does not answer: {error}") from None
    except DatabaseError as error:
        # What is wrong with it, by its own words, and what to do where those do not say.
        missing = isinstance(error, ProgrammingError) and is_away(error)
        words = f"{in_words(error)}: " if missing else ""
        raise CommandError(f"PostgreSQL: {words}{error}".strip()) from None


class ControlCommand(OperatorCommand):
    """One of the controls over an order."""

    requires_system_checks = ()  # orders can be stopped however wrong the configuration is
    stops = False

    def control(self, order_id: int, *, by: str, now: datetime, reason: str) -> Order:
        raise NotImplementedError

    @override
    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("order", type=argument(ORDER_ID), metavar="ID")
        parser.add_argument("--reason", default="", type=remark, help="for the record")
        add_person(parser, stops=self.stops)

    @override
    def handle(self, *args: Any, **options: Any) -> None:
        order = self.control(
            options["order"], by=options["by"], now=clock.now(), reason=options["reason"]
        )
        open_children = order_controls.unconfirmed(order)
        if options["json"]:
            self.print_json({**result_of(order), "unconfirmed_children": open_children})
            return
        self.stdout.write(f"order {order.pk} is {order.status}")
        if open_children:
            self.stdout.write(f"children that the broker may still execute: {open_children}")


def zone_of(text: str) -> ZoneInfo:
    """A command-line option that names a time zone."""
    try:
        return ZoneInfo(text)
    except (KeyError, ValueError, OSError):
        raise ArgumentTypeError(
            f"{text!r}: a zone such as America/New_York or UTC is allowed"
        ) from None


class Once(Action):
    """An option that is given twice must say the same: of two symbols to halt, argparse itself
    takes the last alone."""

    given: object = None

    @override
    def __call__(
        self,
        parser: ArgumentParser,
        namespace: Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        if self.given not in (None, values):
            raise ArgumentError(self, f"was given as {self.given!r} and as {values!r}; give one")
        self.given = values
        setattr(namespace, self.dest, values)


def add_person(parser: ArgumentParser, *, stops: bool = False) -> None:
    """`stops`: what stops trading does so whatever stands for a name."""
    read = person_or_user if stops else argument(person)
    parser.add_argument(
        "--by", default=getpass.getuser(), type=read, help="who asks, for the record"
    )


def person_or_user(text: str) -> str:
    """What can be recorded of a name, or who runs the command."""
    return one_line(text)[:LONGEST_PERSON] or getpass.getuser()


def add_scope(parser: ArgumentParser, *, stops: bool = False) -> None:
    """Of a trading state; without any of them it is the whole system."""
    scopes = parser.add_mutually_exclusive_group()
    for scope in ("symbol", "account", "strategy"):
        scopes.add_argument(f"--{scope}", action=Once, metavar="KEY", help=f"only this {scope}")
    add_person(parser, stops=stops)
    parser.add_argument("--reason", required=True, type=remark)


def change_trading(options: dict[str, Any], state: str) -> HaltReport:
    """Set the state of the scope that was named; a key that no order can have is bad input."""
    given = [name for name in ("symbol", "account", "strategy") if options[name] is not None]
    scope, key = (given[0].upper(), options[given[0]]) if given else (Scope.SYSTEM, "")
    try:
        return kill_switch.change(
            scope=scope,
            key=key,
            state=state,
            by=options["by"],
            reason=options["reason"],
            now=clock.now(),
        )
    except SecondPersonNeeded:
        raise
    except ValueError as error:
        option = f"--{given[0]}" if given else "scope"
        text = str(error).replace(f"key of scope {scope}", option)
        raise BadInput(text.replace(f"scope {scope} needs a key", f"{option} is empty")) from None


def warn_of_unknown_key(report: HaltReport, err: OutputWrapper) -> None:
    if warning := report.warning:
        err.write(warning)


def scope_name(report: HaltReport) -> str:
    row = report.state
    return "everything" if row.scope == Scope.SYSTEM else f"{row.scope.lower()} {row.key}"
