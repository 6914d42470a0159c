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
from monitoring.rehearsal.scene import BY, CannotPlay, Scene, Seen, Stage

log = structlog.get_logger(__name__)

LOOK_EVERY = 1.0  # seconds
COLUMNS = 80

Say = Callable[[str], None]


class Outcome(StrEnum):
    PASSED = "passed"
    WITH_HINT = "passed with hint"
    NOT_PASSED = "not passed"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class Result:
    scene: str
    outcome: Outcome
    seconds: float
    words: str

    @property
    def passed(self) -> bool:
        return self.outcome in (Outcome.PASSED, Outcome.WITH_HINT)


@dataclass(frozen=True, slots=True)
class Timing:
    """All in seconds of real time."""

    hint_after: float
    give_up_after: float
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


class Rehearsal:
    """Plays scenes for one person; `results` are those played so far. `say` takes lines."""

    def __init__(self, stage: Stage, timing: Timing, *, person: str, say: Say) -> None:
        self.results: list[Result] = []
        self._stage, self._timing = stage, timing
        self._person, self._say = person, say

    def run(self, scenes: Sequence[type[Scene]]) -> None:
        """Raises CannotPlay; whatever ends it, nothing that it made is left."""
        with _in_its_own_name():
            self._clean_up()  # after one that was killed
            for number, scene in enumerate(scenes, 1):
                self._wait_until_free()
                self._paragraph(f"\nScene {number} of {len(scenes)}: {scene.title}")
                self._play(scene(self._stage))

    def _play(self, scene: Scene) -> None:
        began, outcome, words = self._timing.monotonic(), Outcome.INTERRUPTED, ""
        try:
            self._paragraph(scene.set_up())
            self._paragraph(f"Look: docs/runbook.md, {scene.section}.")
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
        for sentence in clean_up(self._stage.context):
            self._paragraph(sentence)

    def _wait_until_free(self) -> None:
        """A person's halt is the person's to lift."""
        deadline = self._timing.monotonic() + self._timing.give_up_after
        told = ""
        while held := held_by(self._stage.symbol).first():
            words = f"{held} by {held.changed_by}: {held.reason}. {lifted_by(held)}"
            if self._timing.monotonic() >= deadline:
                raise CannotPlay(words)
            if told != words:
                self._paragraph(f"The rehearsal waits. {words}")
                told = words
            self._timing.sleep(LOOK_EVERY)

    def _paragraph(self, text: str) -> None:
        for line in text.split("\n"):
            self._say(textwrap.fill(line, COLUMNS, break_on_hyphens=False, break_long_words=False))


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
            if seen.done or seen.wrong:
                return self._judged(seen), seen.words
            if seconds >= self._timing.give_up_after:
                return Outcome.NOT_PASSED, self._given_up()
            self._tell(seen.words, seconds)
            due = max(due + LOOK_EVERY, self._timing.monotonic())
            self._timing.sleep(max(due - self._timing.monotonic(), 0))

    def _judged(self, seen: Seen) -> Outcome:
        if seen.wrong:
            return Outcome.NOT_PASSED
        return Outcome.WITH_HINT if self._hinted else Outcome.PASSED

    def _tell(self, words: str, seconds: float) -> None:
        if words and words != self._told:
            self._say(words)
            self._told = words
        if not self._hinted and seconds >= self._timing.hint_after:
            self._hinted = True
            self._say(f"Hint, from {self._scene.section} in docs/runbook.md:")
            self._say(self._scene.solution())

    def _given_up(self) -> str:
        self._say("The time is over. This would have been right:")
        self._say(self._scene.solution())
        left = self._scene.solve()
        return " ".join(filter(None, ("the rehearsal has done it itself.", left)))


def lifted_by(row: TradingState) -> str:
    """The command that resumes trading."""
    scope = f" --{row.scope.lower()} {row.key}" if row.key else ""
    return f'Once that is settled: deepstack resume-trading{scope} --reason "..." --by NAME'


@contextmanager
def _in_its_own_name() -> Iterator[None]:
    with caller.acting(Via.SERVICE, lambda: BY):
        yield
