"""The suite at moments that break programs: `make test-clock`.

Every process of a run, the servers included, sees a clock that is ahead by the same number of
seconds (libfaketime); what counts the time that passes is left alone.

Left out are the tests marked `any_date`, whatever the clock shows the same: torture runs and
invented requests, what dies and starts again, misbehaving brokers, demonstrations and days that
are replayed, PostgreSQL's sessions and statements, the project's own pages. `-m ""` runs them too.
Chromium cannot live with the library, and is left out: what pages say of time is tested without it.
"""

import argparse
import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

NEW_YORK = ZoneInfo("America/New_York")


def _new_york(year: int, month: int, day: int, hour: int, minute: int) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=NEW_YORK)


def _next_saturday_noon() -> datetime:
    today = datetime.now(NEW_YORK).replace(hour=12, minute=0, second=0, microsecond=0)
    return today + timedelta(days=(5 - today.weekday()) % 7 or 7)


# By name: the moment at which the run begins (None: the true one) and what is added to the
# environment. They need not lie ahead: a clock may be false in either direction.
MOMENTS: dict[str, tuple[datetime | None, dict[str, str]]] = {
    "saturday": (_next_saturday_noon(), {}),
    "half-day": (_new_york(2026, 12, 24, 12, 30), {}),
    "clocks-forward": (_new_york(2027, 3, 14, 1, 55), {}),
    "clocks-back": (_new_york(2027, 11, 7, 1, 55), {}),
    "new-year": (_new_york(2026, 12, 31, 23, 58), {}),
    "leap-day": (_new_york(2028, 2, 29, 12, 0), {}),
    "tokyo": (None, {"TZ": "Asia/Tokyo"}),
}

SPARED = ("--ignore", "tests/browser")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--library", type=Path, required=True, help="libfaketime.so.1")
    parser.add_argument("--moment", action="append", choices=list(MOMENTS), help="default: all")
    options, words = parser.parse_known_args()
    results = {name: _run(name, options.library, words) for name in options.moment or MOMENTS}
    for name, passed in results.items():
        print(f"{'passed' if passed else 'FAILED'} at {name}")
    return 0 if all(results.values()) else 1


def _run(name: str, library: Path, words: list[str]) -> bool:
    moment, environment = MOMENTS[name]
    if moment is not None:
        ahead = moment.astimezone(UTC).timestamp() - time.time()
        environment = environment | {
            "LD_PRELOAD": str(library.resolve()),
            "FAKETIME": f"{ahead:+.0f}s",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
    print(f"== {name}: {moment or 'now'} {environment}", flush=True)
    command = [sys.executable, "-m", "pytest", "-m", "not any_date", *SPARED, *words]
    return subprocess.run(command, env=os.environ | environment, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
