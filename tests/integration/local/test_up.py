"""`make up`: the whole service as a user starts it, and what is killed under it."""

import os
import re
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from deepstack.config import ROOT
from deepstack.local import embedded_servers, stack
from deepstack.local.child_cleanup import parent_pipe
from deepstack.local.embedded_servers import running
from tests.stack import START_SECONDS, Process, status_of, wait_for

NOTHING = embedded_servers.Services("", "")
PROCESSES = ("gunicorn", "w1@", "w2@", "dispatch", "beat", "flower", "uvicorn")

pytestmark = [pytest.mark.timeout(300), pytest.mark.any_date]


class Services:
    """Every `up` of one test, on one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.started: list[Process] = []

    def up(self) -> Process:
        log = self.folder / f"up-{len(self.started)}.out"
        environment = os.environ | {
            "DATABASE_URL": "",
            "REDIS_URL": "",
            "LOG_FILE": str(self.folder / "deepstack.log"),
        }
        with log.open("wb") as output:
            popen = subprocess.Popen(
                [sys.executable, "-m", "deepstack.local.stack", "up", "--data", str(self.folder)],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=parent_pipe(),
            )
        self.started.append(Process("up", popen, log))
        return self.started[-1]


def test_whoever_ends_it_while_it_starts_waits_for_no_further_step(tmp_path: Path) -> None:
    starting = stack.Stack(tmp_path, {})
    starting.stop()
    with pytest.raises(stack.Stopped):
        starting.manage("check")
    with pytest.raises(stack.Stopped), starting.processes():
        pytest.fail("it has started")
    assert not list(tmp_path.glob("log/*"))


@pytest.fixture
def services() -> Iterator[Services]:
    # Between two starts nobody uses it: other tests' `remove_abandoned` must not come by.
    folder = embedded_servers.VAR / "test-up" / secrets.token_hex(3)
    folder.mkdir(parents=True)
    made = Services(folder)
    yield made
    for service in made.started:
        service.stop(patience=90)
    embedded_servers.remove_abandoned(folder.parent)


def ready(service: Process) -> str:
    """The address of the web, once the service says that it is up."""

    def said() -> str:
        assert service.alive, service.output()
        return " ".join(re.findall(r"admin +(http://\S+)admin/", service.output()))

    return wait_for(said, 3 * START_SECONDS, "the service to be up")


def children(service: Process) -> dict[str, psutil.Process]:
    """By a word of their command line; each leads a process group of its own."""
    found = {}
    for child in psutil.Process(service.pid).children(recursive=True):
        with suppress(psutil.ZombieProcess, psutil.NoSuchProcess, ProcessLookupError):
            line = " ".join(child.cmdline())
            if os.getpgid(child.pid) == child.pid:
                found |= {word: child for word in PROCESSES if word in line}
    return found


def test_what_dies_is_started_again_and_the_next_start_goes_on(services: Services) -> None:
    """One folder's life: parts die, then the one who supervises them, and the next goes on."""
    folder, service = services.folder, services.up()
    web = ready(service)
    before = children(service)
    assert before.keys() == set(PROCESSES)
    assert "password" in service.output()
    addresses = " ".join(re.findall(r"export (DATABASE_URL=.*)", service.output())).split()
    named = {name: url.strip("'") for name, _, url in (each.partition("=") for each in addresses)}
    assert named == {
        "DATABASE_URL": running(folder).database_url,
        "REDIS_URL": running(folder).redis_url,
    }
    (stream,) = re.findall(r"stream +(http://\S+)", service.output())
    assert status_of(stream) == 401
    (flower,) = re.findall(r"Flower +(http://\S+)", service.output())
    for path in ("", "metrics", "healthcheck", "static/favicon.ico", "api/workers", "login", "no"):
        assert status_of(f"{flower}{path}") == 401, f"/{path} of Flower is open"
    assert (folder / "secret_key").stat().st_mode & 0o777 == 0o600

    second = services.up()
    assert second.popen.wait(START_SECONDS) == 1
    assert f"a stack runs in this folder already: {web}" in second.output()

    before["w1@"].kill()
    psutil.Process(int((folder / "redis/redis.pid").read_text())).kill()
    wait_for(
        lambda: children(service).get("w1@", before["w1@"]) != before["w1@"],
        START_SECONDS,
        "the killed worker to be replaced",
    )
    assert "worker-1 killed by SIGKILL; restarting" in service.output()
    wait_for(
        lambda: running(folder).redis_url and status_of(f"{web}readyz") == 200,
        START_SECONDS,
        "the service to be ready again",
    )

    left = list(children(service).values())
    service.popen.send_signal(signal.SIGKILL)
    service.popen.wait()
    assert psutil.wait_procs(left, timeout=60)[1] == [], "children outlive their supervisor"
    wait_for(lambda: running(folder) == NOTHING, 60, "the servers to be stopped after them")

    again = services.up()
    ready(again)
    assert "user admin, password" not in again.output()
    assert "changepassword admin" in again.output()
    alive = list(children(again).values())
    assert len(alive) == len(PROCESSES)
    assert again.stop(patience=90) == 0
    assert [child for child in alive if child.is_running()] == []
    assert running(folder) == NOTHING
