"""How long a command's work will go on, said while it goes on."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from rich.console import Console

from execution.management.progress import clock_face

FIRST = 0.01  # of the work: enough to tell how fast it goes
_ROUNDING = 1e-9


@dataclass(slots=True)
class TimeLeft:
    """Called with the share of the work that is done (0 to 1), as often as one likes: says once how
    long all of it will take, then at each tenth how long the rest will."""

    console: Console
    work: str
    timer: Callable[[], float] = time.monotonic
    _began: tuple[float, float] | None = None  # when, and the share that was done by then
    _said: int = -1  # of which tenth

    def __call__(self, share: float) -> None:
        tenths = int(share * 10 + _ROUNDING)
        if self._began is None:
            self._began = self.timer(), share
        elif FIRST <= share < 1 and tenths > self._said:
            self._say(share, *self._began)
            self._said = tenths

    def _say(self, share: float, began: float, first: float) -> None:
        left = (self.timer() - began) * (1 - share) / (share - first)
        done = f"{self.work}: {share:.0%} done, " if self._said >= 0 else f"{self.work}: "
        lasts = clock_face(timedelta(seconds=left))
        self.console.print(f"{done}about {lasts} left", markup=False, soft_wrap=True)
