"""The torture run: `python -m tests.chaos.run [--broker NAME] [--seed N] [--fault NAME ...]`.

Each fault strikes real processes while real parents are worked; then the broker's own log
is compared with the database and the plan. Exit code 1 if a share was lost, sent twice, executed
beyond an order or not accounted for, or if something was sent that had been forbidden.
"""

import argparse
import random
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from deepstack.local import child_cleanup
from tests.chaos.ground import VENUES, Ground, enter

if TYPE_CHECKING:
    from tests.chaos.audit import Row  # needs Django, which the ground sets up

OTHER_SEED = 1_000_000  # added to the seed of a fault that is played again


def main() -> int:
    asked = _asked()
    child_cleanup.be_patient(0)  # what a killed run has started has nothing to finish
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # and clean up on the way out
    with (
        tempfile.TemporaryDirectory(prefix="chaos") as folder,
        enter(Path(folder), asked.broker) as ground,
    ):
        clean = _faults(ground, asked)
        if asked.broker == "stand-in" and (not asked.fault or "doors" in asked.fault):
            clean &= _doors(ground)
    return 0 if clean else 1


def _faults(ground: Ground, asked: argparse.Namespace) -> bool:
    from tests.chaos import trial

    print(trial.heading(), flush=True)
    clean = True
    for seed in range(asked.seed, asked.seed + asked.seeds):
        for name in trial.chosen(asked.broker, asked.fault):
            try:
                clean &= _judged(name, ground, seed, asked).clean
            except TimeoutError as error:
                print(f"{seed:<8}{name}: could not be judged: {error}", flush=True)
                clean = False
    return clean


def _judged(name: str, ground: Ground, seed: int, asked: argparse.Namespace) -> "Row":
    """A fault that a busy machine left too little to strike is played once more."""
    from tests.chaos import trial

    for number in (seed, seed + OTHER_SEED):
        row = trial.run(name, ground, number, asked)
        print(trial.line(row, number, asked.broker), flush=True)
        if row.proves or row.wrong:
            break
        print(f"{seed:<8}{name}: too little was sent to prove anything", flush=True)
    return row


def _doors(ground: Ground) -> bool:
    from tests.chaos.doors import knock

    clean = True
    for answer in knock(ground):
        print(answer.line(), flush=True)
        clean &= answer.clean
    return clean


def _asked() -> argparse.Namespace:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument(
        "--broker", choices=VENUES, default="stand-in", help="or the real adapter and its peer"
    )
    words.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    words.add_argument("--seeds", type=int, default=1, help="how many seeds, counting up")
    words.add_argument("--fault", action="append", help="part of a name, or `doors`; repeatable")
    words.add_argument("--parents", type=int, default=40)
    words.add_argument("--slices", type=int, default=25)
    words.add_argument("--window", type=float, default=25.0, help="seconds")
    return words.parse_args()


if __name__ == "__main__":
    sys.exit(main())
