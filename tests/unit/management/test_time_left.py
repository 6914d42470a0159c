"""How long work goes on, by what is done of it."""

from io import StringIO

import pytest
from rich.console import Console

from execution.management.time_left import TimeLeft


def said(*, seconds: float, steps: int, before: float = 0.0) -> list[str]:
    """Of work in equal steps; `before` the first of them something else took so long."""
    out, now = StringIO(), [before]
    left = TimeLeft(Console(file=out, width=100), "working", timer=lambda: now[0])
    for step in range(1, steps + 1):
        now[0] = before + seconds * step / steps
        left(step / steps)
    return out.getvalue().splitlines()


def test_the_whole_is_said_first_and_the_rest_at_each_tenth() -> None:
    lines = said(seconds=100, steps=1_000)
    assert lines[0] == "working: about 0:01:39 left"
    assert lines[1] == "working: 10% done, about 0:01:30 left"
    assert lines[-1] == "working: 90% done, about 0:00:10 left"
    assert len(lines) == 10


def test_what_went_before_does_not_count() -> None:
    assert said(seconds=100, steps=1_000, before=500)[0] == "working: about 0:01:39 left"


@pytest.mark.parametrize("steps", [3, 20])
def test_few_steps_say_less_and_never_the_same_twice(steps: int) -> None:
    lines = said(seconds=60, steps=steps)
    assert len(lines) == len(set(lines)) <= 10
    assert "done" not in lines[0]
