"""Commands under shells, schedulers and disks that take nothing any more."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from deepstack.config import ROOT

PROGRAM = """
import os, sys
from deepstack.pipes import until_nobody_reads

with until_nobody_reads():
    # What a command opens must not get the number of a stream that is missing.
    opened = os.open({done!r}, os.O_WRONLY | os.O_CREAT)
    print("1.2 \\N{{PLUS-MINUS SIGN}} 0.1 bps")
    sys.stdout.flush()
    print("done", file=sys.stderr)
    os.write(opened, b"cancelled")
"""


def run(done: Path, redirected: str, **environment: str) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-c", PROGRAM.format(done=str(done))]
    return subprocess.run(
        ["/bin/sh", "-c", f'exec "$@" {redirected}', "sh", *program],
        env=os.environ | environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("closed", [">&-", ">&- 2>&-", "<&- >&- 2>&-", "2>&-"])
def test_a_command_whose_streams_are_closed_does_its_work(tmp_path: Path, closed: str) -> None:
    done = tmp_path / "done"
    assert run(done, closed).returncode == 0
    assert done.read_text() == "cancelled"


def test_a_terminal_without_a_letter_shows_its_number(tmp_path: Path) -> None:
    seen = run(tmp_path / "done", "", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert (seen.returncode, seen.stdout) == (0, "1.2 \\xb1 0.1 bps\n")


@pytest.mark.parametrize("streams", [">/dev/full", ">/dev/full 2>&1"])
def test_a_full_disk_is_told_and_is_no_failure_of_the_order(tmp_path: Path, streams: str) -> None:
    seen = run(tmp_path / "done", streams)
    assert seen.returncode == os.EX_IOERR
    assert "Traceback" not in seen.stderr
    if "2>" not in streams:
        assert "No space left on device; what was asked for may have been done" in seen.stderr
