"""What a service without any order costs: processor and memory of all that `make up` runs.

`python -m benchmarks.idle [--seconds 30]` prints one JSON document.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import psutil

from benchmarks.load import stolen_since
from benchmarks.processor_time import seconds_of, servers_in
from deepstack.local.stack import Stack

SETTLING_SECONDS = 15.0  # calendars are read, connections opened


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--seconds", type=float, default=30.0)
    asked = words.parse_args()
    with tempfile.TemporaryDirectory(prefix="deepstack-idle-") as folder:
        print(json.dumps(figures(Path(folder), asked.seconds), indent=2))


def figures(folder: Path, seconds: float) -> dict[str, object]:
    stack = Stack(folder, {"LOG_LEVEL": "WARNING"}, private=True)
    with stack.stores(), stack.processes():
        time.sleep(SETTLING_SECONDS)
        own = [each.pid for each in psutil.Process().children()]
        pids = {*own, *servers_in(folder)}
        stolen, before = stolen_since(), seconds_of(pids)
        time.sleep(seconds)
        spent = seconds_of(pids) - before
        return {
            "stolen_percent": stolen(),
            "percent_of_a_core": round(spent / seconds * 100, 1),
            "memory_mb": round(_shared_once(pids)),
        }


def _shared_once(pids: Iterable[int]) -> float:
    """Megabytes of the processes and their children; what several share counts once."""
    found = {pid: psutil.Process(pid) for pid in pids}
    for each in list(found.values()):
        found |= {child.pid: child for child in each.children(recursive=True)}
    total = 0
    for each in found.values():
        with suppress(psutil.Error):
            total += each.memory_full_info().pss
    return total / 2**20


if __name__ == "__main__":
    main()
