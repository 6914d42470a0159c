import signal
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, NoReturn

from django.core.management.base import CommandError
from typing_extensions import override

from deepstack.database.advisory_locks import REHEARSING, alone
from execution import context
from execution.domain.reading import number, refusal
from execution.entry import submission
from execution.management.console import OperatorCommand, add_person, argument
from monitoring.rehearsal import conditions
from monitoring.rehearsal.play import Rehearsal, Timing
from monitoring.rehearsal.registry import SCENES
from monitoring.rehearsal.scene import CannotPlay, Practice, Scene

INTERRUPTED = 130


def seconds(value: object) -> float:
    found = number(value)
    if found is None or not 0 <= found <= 24 * 60 * 60:
        raise refusal("a number of seconds up to a day", value)
    return float(found)


class Interruption:
    """Ctrl-C, SIGTERM, and the SIGHUP of a terminal that was closed, are a KeyboardInterrupt where
    the rehearsal waits. In the midst of a statement one would leave a connection to PostgreSQL
    that takes no other, and the clean-up has none but that. Whoever insists is heard at once."""

    def __init__(self) -> None:
        self._asked = self._waiting = False

    @contextmanager
    def awaited(self) -> Iterator[None]:
        ends = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        before = [signal.signal(each, self._hear) for each in ends]
        try:
            yield
        finally:
            for each, handler in zip(ends, before, strict=True):
                signal.signal(each, handler)

    def sleep(self, seconds: float) -> None:
        self._waiting = True
        if self._asked:
            self._interrupt()
        time.sleep(seconds)
        self._waiting = False

    def _hear(self, number: int, frame: object) -> None:
        if self._waiting or self._asked:
            self._interrupt()
        self._asked = True

    def _interrupt(self) -> NoReturn:
        self._asked = self._waiting = False
        raise KeyboardInterrupt


class Command(OperatorCommand):
    help = (
        "Train on paper: real troubles, one after the other, each until you have put it right with"
        " the ordinary commands, pages or API. Run `make up` in another terminal, best with"
        " PAPER__FAULTS__PROFILE=harsh, and act in a third one. All that it makes is of account and"
        " strategy `rehearsal`, and is cleaned up, after Ctrl-C or SIGTERM, too. The exit code is 0"
        " if every scene was passed."
    )

    @override
    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--scene",
            action="append",
            choices=tuple(SCENES),
            metavar="NAME",
            help="only this one; may be given several times",
        )
        parser.add_argument("--list", action="store_true", help="name the scenes")
        for option, default, what in (
            ("--hint-after", 120.0, "when the command to use is named"),
            ("--give-up-after", 600.0, "when the solution is shown and carried out"),
        ):
            parser.add_argument(
                option,
                type=argument(seconds),
                default=default,
                metavar="SECONDS",
                help=f"{what}; default: {default:g}",
            )
        add_person(parser)

    @override
    def handle(self, *args: Any, **options: Any) -> None:
        if options["list"]:
            self._list(as_json=options["json"])
            return
        wanted = options["scene"] or list(SCENES)
        try:
            with alone(REHEARSING) as mine:
                if not mine:
                    raise CannotPlay("somebody else rehearses now")
                self._play([SCENES[name] for name in wanted], options)
        except CannotPlay as error:
            raise CommandError(str(error)) from None

    def _play(self, scenes: list[type[Scene]], options: dict[str, Any]) -> None:
        interruption = Interruption()
        rehearsal = self._prepared(scenes, options, interruption)
        try:
            with interruption.awaited():
                rehearsal.run(scenes)
        except KeyboardInterrupt:
            text = "interrupted; what was set up is cleaned up"
            raise CommandError(text, returncode=INTERRUPTED) from None
        finally:
            self._show(rehearsal, options)
        if not rehearsal.passed:
            raise SystemExit(1)

    def _prepared(
        self, scenes: list[type[Scene]], options: dict[str, Any], interruption: Interruption
    ) -> Rehearsal:
        at = context.default()
        conditions.refuse_elsewhere(at, scenes)
        submission.require_worker()
        return Rehearsal(
            Practice(at, conditions.own_symbol(at)),
            Timing(options["hint_after"], options["give_up_after"], sleep=interruption.sleep),
            person=options["by"],
            say=self._say(as_json=options["json"]),
        )

    def _say(self, *, as_json: bool) -> Callable[[str], None]:
        out = self.stderr if as_json else self.stdout

        def say(text: str) -> None:
            out.write(text, str)  # no error, although it may go there
            out.flush()  # somebody may read it through a pipe

        return say

    def _list(self, *, as_json: bool) -> None:
        if as_json:
            self.print_json({name: scene.title for name, scene in SCENES.items()})
            return
        for name, scene in SCENES.items():
            self.stdout.write(f"{name:16} {scene.title}")

    def _show(self, rehearsal: Rehearsal, options: dict[str, Any]) -> None:
        results = rehearsal.results
        if options["json"]:
            scenes = [asdict(each) for each in results]
            told = {"person": options["by"], "passed": rehearsal.passed, "scenes": scenes}
            self.print_json(told)
            return
        self.stdout.write(f"{'scene':16} {'outcome':16} {'seconds':>8}   {options['by']}")
        for each in results:
            self.stdout.write(f"{each.scene:16} {each.outcome:16} {each.seconds:8.0f}")
