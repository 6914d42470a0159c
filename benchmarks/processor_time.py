"""Processor time by kind of process: what a slice costs each of them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

Kinds = Mapping[str, Sequence[int]]  # process ids


def per_slice_since(kinds: Kinds) -> Callable[[int], dict[str, float]]:
    """What tells, for a number of slices, the milliseconds of each of them since now."""
    before = {kind: seconds_of(pids) for kind, pids in kinds.items()}

    def cost(slices: int) -> dict[str, float]:
        spent = {kind: seconds_of(pids) - before[kind] for kind, pids in kinds.items()}
        costs = {kind: round(each / max(slices, 1) * 1000, 2) for kind, each in spent.items()}
        return costs | {"sum": round(sum(costs.values()), 2)}

    return cost


def servers_in(folder: Path) -> list[int]:
    """PostgreSQL and Redis that keep their data below the folder; not PostgreSQL's children."""
    found = {
        each.pid: each.info["ppid"]
        for each in psutil.process_iter(["cmdline", "ppid"])
        if _is_server(each.info["cmdline"] or [], str(folder))
    }
    return [pid for pid, parent in found.items() if parent not in found]


def _is_server(words: Sequence[str], folder: str) -> bool:
    name = Path(words[0]).name if words else ""
    return name.startswith(("postgres", "redis-server")) and folder in " ".join(words)


def seconds_of(pids: Iterable[int]) -> float:
    total = 0.0
    for pid in pids:
        with suppress(psutil.Error):
            root = psutil.Process(pid)
            times = root.cpu_times()
            total += getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0)
            total += sum(_own_seconds(each) for each in (root, *root.children(recursive=True)))
    return total


def _own_seconds(process: psutil.Process) -> float:
    with suppress(psutil.Error):
        times = process.cpu_times()
        return times.user + times.system
    return 0.0
