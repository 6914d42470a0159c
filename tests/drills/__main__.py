"""`make drill`: lose PostgreSQL, Redis, the machine or the release while orders are worked.

Each drill runs real processes on private servers against the simulator of a broker, and ends with
the simulator's own log: no share lost, none sent twice, all booked. Exit code 1 where that is not
so, or where it took longer than promised.
"""

import argparse
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from deepstack.local import child_cleanup
from tests.chaos.ground import Team, enter
from tests.drills.standby import both_hosts

NAMES = ("primary", "redis", "machine", "restore", "upgrade")
TEAM = Team(workers=2, threads=8, dispatchers=2)


def main() -> int:
    asked = _asked()
    child_cleanup.be_patient(0)  # what a killed run has started has nothing to finish
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # and clean up on the way out
    if len(asked.drill) == 1:
        return _one(asked)
    return max(_in_process_of_its_own(name, asked) for name in asked.drill)


def _one(asked: argparse.Namespace) -> int:
    with tempfile.TemporaryDirectory(prefix="drill") as name:
        first, second = Path(name) / "1", Path(name) / "2"
        first.mkdir()
        Path(name).chmod(0o755)
        hosts = both_hosts(first / "run", second / "run")
        extra = {"DATABASE_URL": hosts, "LOG_LEVEL": "WARNING"}
        with enter(first, asked.broker, TEAM, extra) as ground:
            from tests.drills.restoring import DrillFailed
            from tests.drills.scenes import DRILLS, Stage

            drill = DRILLS[asked.drill[0]]
            print(f"{asked.drill[0]}: {drill.promise}", flush=True)
            ground.broker.reset(asked.seed, first / "broker.log")
            ground.mend()
            try:
                done = drill.play(Stage(ground, second, asked.release))
            except (DrillFailed, TimeoutError, ValueError) as error:
                print(f"  FAILED: {error}", flush=True)
                return 1
    row = done.row
    print(f"  {done.words}", flush=True)
    print(
        f"  {row.sent} children of {row.parents} orders: lost {row.lost}, twice {row.twice},"
        f" overfilled {row.overfilled}, unaccounted {row.unaccounted} by the simulator's log",
        flush=True,
    )
    good = row.clean and not done.late
    print(
        f"  {'nothing lost, nothing twice' if row.clean else 'NOT CLEAN'}"
        f"{', but LATE' if done.late else ''}",
        flush=True,
    )
    return 0 if good else 1


def _in_process_of_its_own(name: str, asked: argparse.Namespace) -> int:
    """Django is set up once a process, for the servers of one drill."""
    words = [name, "--broker", asked.broker, "--release", asked.release, "--seed", str(asked.seed)]
    command = [sys.executable, "-m", "tests.drills", *words]
    return subprocess.run(command, check=False, pass_fds=child_cleanup.parent_pipe()).returncode


def _asked() -> argparse.Namespace:
    from tests.drills.release import before

    words = argparse.ArgumentParser(prog="python -m tests.drills", description=__doc__)
    words.add_argument("drill", nargs="*", choices=[*NAMES, []], help="all of them without any")
    words.add_argument("--broker", choices=["alpaca", "ibkr"], default="alpaca")
    words.add_argument("--release", default=before(), help="of `upgrade`: a tag or a commit")
    words.add_argument("--seed", type=int, default=1)
    asked = words.parse_args()
    asked.drill = asked.drill or list(NAMES)
    return asked


if __name__ == "__main__":
    sys.exit(main())
