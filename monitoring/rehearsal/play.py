"""One scene after the other: set up, told, watched until a person has done what is right."""

import textwrap
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

import structlog

from execution.models import TradingState, Via
from execution.orders import caller
from monitoring.rehearsal.clean_up import clean_up, held_by
from monitoring.rehearsal.scene import BY, CannotPlay, Practice, Scene

log = structlog.get_logger(__name__)

LOOK_EVERY = 1.0  # seconds
COLUMNS = 80
WOULD_BE_RIGHT = "This would have been right:"

Say = Callable[[str], None]


class Outcome(StrEnum):
    PASSED = "passed"
    WITH_HINT = "passed with hint"
    NOT_PASSED = "not passed"
    INTERRUPTED = "interrupted"


PASSED = (Outcome.PASSED, Outcome.WITH_HINT)


@dataclass(frozen=True, slots=True)
class Result:
    scene: str
    outcome: Outcome
    seconds: float
    words: str


@dataclass(frozen=True, slots=True)
class Timing:
    """All in seconds of real time."""

    hint_after: float
    give_up_after: float
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


class Rehearsal:
    """Plays scenes for one person. `results` are those played so far; `passed`: all were, to the
    last. `say` takes lines."""

    def __init__(self, practice: Practice, timing: Timing, *, person: str, say: Say) -> None:
        self.results: list[Result] = []
        self.passed = False
        self._practice, self._timing = practice, timing
        self._person, self._say = person, say

    def run(self, scenes: Sequence[type[Scene]]) -> None:
        """Raises CannotPlay; whatever ends it, nothing that it made is left."""
        with _in_its_own_name():
            self._clean_up()  # after one that was killed
            self._paragraph(_introduction(len(scenes), self._timing))
            for number, scene in enumerate(scenes, 1):
                self._wait_until_free()
                self._paragraph(f"Scene {number} of {len(scenes)}: {scene.title}")
                self._play(scene(self._practice))
        self.passed = all(each.outcome in PASSED for each in self.results)

    def _play(self, scene: Scene) -> None:
        began, outcome, words = self._timing.monotonic(), Outcome.INTERRUPTED, ""
        try:
            notice = scene.set_up()
            self._paragraph(f"{notice}\nLook: docs/runbook.md, {scene.section}.")
            began = self._timing.monotonic()
            outcome, words = _Watch(scene, self._timing, self._paragraph).until_over()
        finally:
            seconds = round(self._timing.monotonic() - began, 1)
            result = Result(scene.name, outcome, seconds, words)
            self.results.append(result)
            record = {"scene": scene.name, "person": self._person, "outcome": outcome.value}
            log.info("rehearsed", **record, seconds=seconds)
            self._clean_up()
        self._paragraph(f"{outcome.capitalize()} after {seconds:.0f} s: {words}")

    def _clean_up(self) -> None:
        for sentence in clean_up(self._practice.context, self._timing.sleep):
            self._paragraph(sentence)

    def _wait_until_free(self) -> None:
        """A person's halt is the person's to lift."""
        deadline = self._timing.monotonic() + self._timing.give_up_after
        told = ""
        while held := held_by(self._practice.symbol).first():
            words = f"{held} by {held.changed_by}: {held.reason}. {lifted_by(held)}"
            if self._timing.monotonic() >= deadline:
                raise CannotPlay(words)
            if told != words:
                self._paragraph(f"The rehearsal waits. {words}")
                told = words
            self._timing.sleep(LOOK_EVERY)

    def _paragraph(self, text: str) -> None:
        """Followed by an empty line."""
        for line in text.split("\n"):
            self._say(textwrap.fill(line, COLUMNS, break_on_hyphens=False, break_long_words=False))
        self._say("")


class _Watch:
    """Over one scene."""

    def __init__(self, scene: Scene, timing: Timing, say: Say) -> None:
        self._scene, self._timing, self._say = scene, timing, say
        self._told, self._hinted = "", False

    def until_over(self) -> tuple[Outcome, str]:
        began = due = self._timing.monotonic()
        while True:
            seconds = self._timing.monotonic() - began
            self._scene.go_on(seconds)
            seen = self._scene.look()
            if seen.done:
                return Outcome.WITH_HINT if self._hinted else Outcome.PASSED, seen.words
            if seen.wrong:
                self._say(f"{WOULD_BE_RIGHT}\n{self._scene.solution()}")
                return Outcome.NOT_PASSED, seen.words
            if seconds >= self._timing.give_up_after:
                return Outcome.NOT_PASSED, self._given_up()
            self._tell(seen.words, seconds)
            due = max(due + LOOK_EVERY, self._timing.monotonic())
            self._timing.sleep(max(due - self._timing.monotonic(), 0))

    def _tell(self, words: str, seconds: float) -> None:
        if words and words != self._told:
            self._say(words)
            self._told = words
        if not self._hinted and seconds >= self._timing.hint_after:
            self._hinted = True
            section = f"Hint, from {self._scene.section} in docs/runbook.md:"
            self._say(f"{section}\n{self._scene.solution()}")

    def _given_up(self) -> str:
        self._say(f"The time is over. {WOULD_BE_RIGHT}\n{self._scene.solution()}")
        left = self._scene.solve()
        return " ".join(filter(None, ("the rehearsal has done it itself.", left)))


def lifted_by(row: TradingState) -> str:
    """The command that resumes trading."""
    scope = f" --{row.scope.lower()} {row.key}" if row.key else ""
    return f'Once that is settled: deepstack resume-trading{scope} --reason "..." --by NAME'


def _introduction(scenes: int, timing: Timing) -> str:
    return (
        f"You are on duty, and {'this happens' if scenes == 1 else f'{scenes} things happen'} on"
        " the paper system. Put it right in another terminal or in the back office, as if it were"
        f" real. A hint comes after {timing.hint_after:g} s, the solution after"
        f" {timing.give_up_after:g} s. Ctrl-C ends the rehearsal and takes away what it has made."
    )


@contextmanager
def _in_its_own_name() -> Iterator[None]:
    with caller.acting(Via.SERVICE, lambda: BY):
        yield
