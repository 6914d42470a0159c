"""How fast the kill switch answers while others hammer the web process.

`python -m benchmarks.kill_switch [--clients 100] [--seconds 20]` starts PostgreSQL, Redis and a web
process of its own, has clients guess passwords, ask for previews and page through lists without a
pause, halts and resumes one symbol meanwhile, and prints one JSON document. The clients run on the
same machine, in processes of their own.

`--guesses 1000` has passwords alone be guessed, so many a second, from 40 addresses; meanwhile the
owner, from another address, logs in every two seconds.
"""

import argparse
import json
import multiprocessing
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from benchmarks.load import percentiles, stolen_since
from deepstack import processes
from deepstack.local import child_cleanup, embedded_servers

ORDERS = 2_000  # stored before, for the lists to page through
START_SECONDS = 60.0
PAUSE = 0.1  # seconds between two halts
PASSWORD = "x"  # noqa: S105
TEAMS, GUESSERS = 2, 20  # processes, and addresses of each, that guess
SIGNAL = {"symbol": "AAPL", "side": "BUY", "quantity": 1000, "decision_price": "150"}


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--clients", type=int, default=100)
    words.add_argument("--seconds", type=float, default=20.0)
    words.add_argument(
        "--guesses", type=int, default=0, help="wrong logins a second, and no others"
    )
    asked = words.parse_args()
    with tempfile.TemporaryDirectory(prefix="deepstack-kill-") as folder:
        if asked.guesses:
            found = guessed(Path(folder), asked.guesses, asked.seconds)
        else:
            found = figures(Path(folder), asked.clients, asked.seconds)
        print(json.dumps(found, indent=2))


def figures(folder: Path, clients: int = 100, seconds: float = 20.0) -> dict[str, object]:
    with served(folder) as (port, token):
        alone = _halts(port, token, 3.0)
        stolen = stolen_since()
        with _hammering(port, token, clients, seconds) as statuses:
            hammered = _halts(port, token, seconds)
        return {
            "cores": os.cpu_count(),
            "load": round(os.getloadavg()[0], 2),
            "stolen_percent": stolen(),
            "clients": clients,
            "answers_to_them": dict(statuses),
            "halt_alone_ms": percentiles(alone),
            "halt_hammered_ms": percentiles(hammered),
        }


def guessed(folder: Path, rate: int, seconds: float) -> dict[str, object]:
    """Halts, and logins of the owner, while passwords are guessed at a rate."""
    with served(folder) as (port, token):
        alone = _halts(port, token, 3.0)
        stolen = stolen_since()
        kinds = [("guess", rate // TEAMS)] * TEAMS + [("owner", 1)]
        with _team(port, token, kinds, seconds) as answers:
            under = _halts(port, token, seconds)
        guesses = {kind: n for kind, n in answers.items() if kind.startswith("guess ")}
        return {
            "cores": os.cpu_count(),
            "load": round(os.getloadavg()[0], 2),
            "stolen_percent": stolen(),
            "wanted_a_second": rate,
            "answered_a_second": round(sum(guesses.values()) / (seconds + 1)),
            "answers_to_guesses": guesses,
            "answers_to_owner": {kind: n for kind, n in answers.items() if kind not in guesses},
            "halt_alone_ms": percentiles(alone),
            "halt_guessed_ms": percentiles(under),
        }


@contextmanager
def served(folder: Path) -> Iterator[tuple[int, str]]:
    """The port of a web process with servers of its own, and the token of a person of every
    right."""
    with embedded_servers.started(folder) as servers:
        os.environ |= {
            "DATABASE_URL": servers.database_url,
            "REDIS_URL": servers.redis_url,
            "SECRET_KEY": "only-for-a-benchmark-" + "x" * 40,
            "LOG_FILE": str(folder / "deepstack.log"),
            "LOG_LEVEL": "WARNING",
        }
        subprocess.run(processes.manage("migrate", "--verbosity", "0"), check=True)
        token = _prepare()
        with _web(folder) as port:
            yield port, token


def _prepare() -> str:
    """Stored orders, a person of every right, and the person's token."""
    from deepstack import django_setup

    django_setup.ensure()
    from django.contrib.auth.models import User
    from rest_framework.authtoken.models import Token

    from execution import context as contexts
    from execution.entry import acceptance

    for _ in range(ORDERS // 500):
        acceptance.accept_all([SIGNAL] * 500, contexts.default())
    return str(Token.objects.create(user=User.objects.create_superuser("risk", password=PASSWORD)))


@contextmanager
def _web(folder: Path) -> Iterator[int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    with (folder / "web.log").open("wb") as log:
        command = processes.web(f"127.0.0.1:{port}")
        pipe = child_cleanup.parent_pipe()
        web = subprocess.Popen(command, stdout=log, stderr=log, pass_fds=pipe)
    try:
        deadline = time.monotonic() + START_SECONDS
        while ask(port, "GET", "/healthz")[0] != 200:
            if time.monotonic() > deadline:
                sys.exit((folder / "web.log").read_text())
            time.sleep(0.2)
        yield port
    finally:
        web.terminate()
        web.wait()


def _halts(port: int, token: str, seconds: float) -> list[float]:
    """Milliseconds of each halt or resume, over a connection of its own as a person's would be."""
    took: list[float] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        path = "/api/v1/halt/" if len(took) % 2 == 0 else "/api/v1/resume-trading/"
        body = {"scope": "SYMBOL", "key": "TSLA", "reason": "benchmark"}
        status, ms = ask(port, "POST", path, body, token)
        if status != 200:
            sys.exit(f"{path} answered {status}")
        took.append(ms)
        time.sleep(PAUSE)
    return took


@contextmanager
def _hammering(port: int, token: str, clients: int, seconds: float) -> Iterator[Counter[str]]:
    """A third each guesses passwords, asks for previews and reads lists; yields what they got,
    filled when the block ends."""
    counts = [clients // 3 + (1 if index < clients % 3 else 0) for index in range(3)]
    kinds = list(zip(("token", "preview", "list"), counts, strict=True))
    with _team(port, token, kinds, seconds) as answers:
        yield answers


@contextmanager
def _team(
    port: int, token: str, kinds: Sequence[tuple[str, int]], seconds: float
) -> Iterator[Counter[str]]:
    """So many clients of each kind, each kind in a process of its own: a hundred processes would
    measure their own start. Yields the answers they got, filled when the block ends."""
    context = multiprocessing.get_context("spawn")
    reports: Any = context.Queue()
    team = [
        context.Process(target=_client_team, args=(port, token, kind, count, seconds, reports))
        for kind, count in kinds
    ]
    for each in team:
        each.start()
    for _ in team:
        reports.get()  # each says that it begins
    answers: Counter[str] = Counter()
    try:
        yield answers
    finally:
        for _ in team:
            answers.update(reports.get())
        for each in team:
            each.join()


def _client_team(
    port: int, token: str, kind: str, count: int, seconds: float, reports: Any
) -> None:
    from concurrent.futures import ThreadPoolExecutor

    reports.put({})
    end = time.monotonic() + seconds + 1
    if kind == "guess":
        work, count = partial(_guesser, port, count / GUESSERS, end), GUESSERS
    elif kind == "owner":
        work = partial(_owner, port, end)
    else:
        work = partial(_client, port, token, kind, end)
    with ThreadPoolExecutor(count) as pool:
        seen = list(pool.map(work, range(count)))
    reports.put(dict(sum(seen, Counter())))


def _guesser(port: int, rate: float, end: float, number: int) -> Counter[str]:
    """`rate` guesses a second, as long as the answers come as fast."""
    seen: Counter[str] = Counter()
    due = time.monotonic()
    while (now := time.monotonic()) < end:
        if now < due:
            time.sleep(due - now)
        due = max(due + 1 / rate, now)
        guess = {"username": "risk", "password": f"guess {now}"}
        source = f"127.0.{os.getpid() % 200 + 1}.{number + 1}"
        status, _ = ask(port, "POST", "/api/v1/token/", guess, source=source)
        seen[f"guess {status}"] += 1
    return seen


def _owner(port: int, end: float, _: int) -> Counter[str]:
    """Logs in and waits, from an address that nobody guesses from."""
    seen: Counter[str] = Counter()
    while time.monotonic() < end:
        login = {"username": "risk", "password": PASSWORD}
        status, took = ask(port, "POST", "/api/v1/token/", login, source="127.0.0.99")
        seen[f"owner {status}, within {took // 1000 + 1:.0f} s"] += 1
        time.sleep(2)
    return seen


def _client(port: int, token: str, kind: str, end: float, _: int) -> Counter[str]:
    seen: Counter[str] = Counter()
    while time.monotonic() < end:
        if kind == "token":
            guess = {"username": "risk", "password": f"guess {time.monotonic()}"}
            status, _ = ask(port, "POST", "/api/v1/token/", guess)
        elif kind == "preview":
            status, _ = ask(port, "POST", "/api/v1/orders/preview/", SIGNAL, token)
        else:
            status, _ = ask(port, "GET", "/api/v1/orders/?limit=500", None, token)
        seen[f"{kind} {status}"] += 1
    return seen


def ask(
    port: int, method: str, path: str, body: object = None, token: str = "", source: str = ""
) -> tuple[int, float]:
    """Status, 0 where nobody answers, and milliseconds until the answer was read."""
    began, status = time.monotonic(), 0
    headers = {"Authorization": f"Token {token}"} if token else {}
    if body is not None:
        headers["Content-Type"] = "application/json"
    address = (source, 0) if source else None
    connection = HTTPConnection("127.0.0.1", port, timeout=60, source_address=address)
    with suppress(OSError, HTTPException):
        connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        answer = connection.getresponse()
        answer.read()
        status = answer.status
    connection.close()
    return status, (time.monotonic() - began) * 1000


if __name__ == "__main__":
    main()
