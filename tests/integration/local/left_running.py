"""What a run of tests has running when it is killed. No test of its own: see test_killed_run."""

import os
from pathlib import Path
from threading import Event

from tests.brokers.alpaca_rig import Peer
from tests.stack import Stack


def test_that_never_ends(empty_stack: Stack, tmp_path: Path) -> None:
    empty_stack.web()
    empty_stack.worker()
    Peer(tmp_path)
    Path(os.environ["DEEPSTACK_TELL_IN"]).touch()
    Event().wait()
