"""A forked process is what the same command would have been, started by itself."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from deepstack.local import fork_server
from tests.stack import wait_for

pytestmark = pytest.mark.any_date

SAYS = """
import atexit, os, sys, time
atexit.register(print, "at its end")
hour = time.localtime(0).tm_hour
print(sys.argv[1:], os.environ.get("KEPT"), os.environ.get("TZ"), hour, os.getcwd(), __name__)
print("wrong", file=sys.stderr)
sys.exit(3)
"""
WAITS = """
import signal, time
print("waits")
time.sleep(600)
"""
STARTS = """
from pathlib import Path
from deepstack.local.fork_server import Forked
import os, sys
if __name__ == "__main__":
    process = Forked([sys.executable, "-m", "waits"], os.environ, Path.cwd(), 1, 2)
    print(process.pid, flush=True)
    process.wait()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in {"says": SAYS, "waits": WAITS, "starts": STARTS}.items():
        (tmp_path / f"{name}.py").write_text(text)
    return tmp_path


def module(name: str, *words: str) -> list[str]:
    return [sys.executable, "-m", name, *words]


def test_environment_words_output_and_exit_code_are_its_own(folder: Path) -> None:
    environment = {"KEPT": "1", "TZ": "Asia/Tokyo"}
    done = fork_server.run(module("says", "--loud"), environment, folder, timeout=60)
    assert done.returncode == 3
    said = f"['--loud'] 1 Asia/Tokyo 9 {folder} __main__\nat its end\n"
    assert (done.stdout, done.stderr) == (said, "wrong\n")


def test_what_takes_too_long_is_killed(folder: Path) -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        fork_server.run(module("waits"), {}, folder, timeout=0.5)


def test_process_lists_show_its_command(folder: Path) -> None:
    with (folder / "log").open("wb") as log:
        process = fork_server.Forked(module("waits"), {}, folder, log.fileno(), log.fileno())
    try:
        running = psutil.Process(process.pid)
        wait_for(lambda: "waits" in (folder / "log").read_text(), 60, "its first line")
        assert "".join(running.cmdline()) == " ".join(module("waits"))
        assert os.getpgid(process.pid) == process.pid
    finally:
        process.terminate()
    assert process.wait(60) == -signal.SIGTERM


def test_it_does_not_outlive_a_killed_parent(folder: Path) -> None:
    with subprocess.Popen(
        module("starts"), cwd=folder, env=os.environ, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    assert psutil.wait_procs([child], timeout=60)[1] == []


def test_nothing_but_a_module_can_be_forked(folder: Path) -> None:
    with pytest.raises(ValueError, match="only a module of"):
        fork_server.run(["ls", "-l"], {}, folder)
