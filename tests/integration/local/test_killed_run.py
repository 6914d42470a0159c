"""A run of tests that is killed takes with it all that it has started."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from deepstack.config import ROOT
from deepstack.local import embedded_servers
from deepstack.local.child_cleanup import parent_pipe
from tests.integration.local import left_running
from tests.stack import wait_for

pytestmark = pytest.mark.any_date


def servers(run: int) -> list[psutil.Process]:
    """PostgreSQL's and Redis' main processes of the run with this process id."""
    (folder,) = (embedded_servers.VAR / "test").glob(f"{run}-*")
    notes = [folder / "postgres/postmaster.pid", folder / "redis/redis.pid"]
    return [psutil.Process(int(note.read_text().splitlines()[0])) for note in notes]


@pytest.mark.timeout(180)
def test_a_killed_run_leaves_nothing_behind(tmp_path: Path) -> None:
    told = tmp_path / "all-is-running"
    # Servers of its own, also where these tests use others.
    environment = os.environ | {
        "DEEPSTACK_TELL_IN": str(told),
        "DATABASE_URL": "",
        "REDIS_URL": "",
    }
    with (tmp_path / "output").open("wb") as output:
        run = subprocess.Popen(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", left_running.__file__],
            cwd=ROOT,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            pass_fds=parent_pipe(),
        )

    def running() -> bool:
        assert run.poll() is None, (tmp_path / "output").read_text()
        return told.exists()

    wait_for(running, 90, "the run to have started everything")
    left = [*psutil.Process(run.pid).children(recursive=True), *servers(run.pid)]
    assert len(left) >= 8, left  # a cleanup process, web and its two, a worker, a peer, two servers
    run.kill()
    run.wait()
    assert psutil.wait_procs(left, timeout=60)[1] == []
