"""How machines share the load: groups of processes with host names of their own, which know each
other by nothing but the same PostgreSQL and Redis.

`DATABASE_URL=postgres://... REDIS_URL=redis://... python -m benchmarks.machines [--machines 1,2]
[--rate 200] [--seconds 15]`, both over TCP and empty, prints one JSON document. Each machine runs
two workers and a dispatcher in a UTS namespace (`unshare` of util-linux), so that its processes see
a host name of its own; they share the processors of this one, so that a second adds no speed here.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from benchmarks import service
from benchmarks.load import SYMBOLS, stolen_since
from deepstack import processes

WORKERS = 2
HOST = ["unshare", "--user", "--map-root-user", "--uts", "sh", "-c", 'hostname "$0"; exec "$@"']
ANSWER_SECONDS = 2.0


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--machines", default="1,2", help="how many, one after the other")
    words.add_argument("--rate", type=int, default=200, help="slices per second")
    words.add_argument("--seconds", type=int, default=15)
    asked = words.parse_args()
    if not all(os.environ.get(name) for name in ("DATABASE_URL", "REDIS_URL")):
        sys.exit("Set DATABASE_URL and REDIS_URL: servers that every machine reaches over TCP.")
    stolen, rows = stolen_since(), {}
    with tempfile.TemporaryDirectory(prefix="deepstack-machines-") as folder:
        os.environ |= {
            "LOG_FILE": f"{folder}/deepstack.log",
            "LOG_LEVEL": "WARNING",
            **service.LIMITS,
        }
        subprocess.run(processes.manage("migrate", "--verbosity", "0"), check=True)
        for count in map(int, asked.machines.split(",")):
            with _machines(folder, count):
                before = _tasks_by_machine()
                figures = service.lateness(asked.rate, asked.seconds)
                rows[count] = figures | {"slices_taken": _tasks_by_machine() - before}
    print(json.dumps({"cores": os.cpu_count(), "stolen_percent": stolen(), "by_machines": rows}))


@contextmanager
def _machines(folder: str, count: int) -> Iterator[None]:
    from deepstack import django_setup

    django_setup.ensure()
    from execution import heartbeat
    from execution.models import Heartbeat

    Heartbeat.objects.all().delete()  # of those before
    with ExitStack() as own:
        for number in range(1, count + 1):
            for name, command in _commands():
                host = f"machine-{number}"
                on_host = [*HOST, host, *command]
                own.enter_context(service.process(folder, f"{host}-{name}", on_host))
        service.until(lambda: heartbeat.alive(Heartbeat.Kind.WORKER) >= WORKERS * count, 60.0)
        service.until(lambda: heartbeat.alive(Heartbeat.Kind.DISPATCH) >= count, 60.0)
        service.lateness(len(SYMBOLS), 5)  # warm
        yield


def _commands() -> Iterator[tuple[str, Sequence[str]]]:
    for number in range(WORKERS):
        yield f"w{number}", service.of_application(service.INSTANT, processes.worker(f"w{number}"))
    yield "dispatch", processes.dispatch()


def _tasks_by_machine() -> Counter[str]:
    """How many slices the workers of each machine have taken so far, by their own count."""
    from celery import current_app

    from execution.task_queue import SEND

    found = Counter[str]()
    answers = current_app.control.inspect(timeout=ANSWER_SECONDS).stats() or {}
    for node, figures in answers.items():
        found[node.rpartition("@")[2]] += figures["total"].get(SEND, 0)
    return found


if __name__ == "__main__":
    main()
