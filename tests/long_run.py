"""A program of the project that a test runs to its end."""

import subprocess
import sys

from deepstack.config import ROOT
from deepstack.local.child_cleanup import parent_pipe


def played(module: str, *words: str, patience: float) -> tuple[int, str]:
    """Exit code and output; after `patience` seconds it is asked to stop, which it does with all
    that it started."""
    run = subprocess.Popen(
        [sys.executable, "-m", module, *words],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        pass_fds=parent_pipe(),
    )
    try:
        output, _ = run.communicate(timeout=patience)
    except subprocess.TimeoutExpired:
        run.terminate()
        output, _ = run.communicate()
    return run.returncode, output
