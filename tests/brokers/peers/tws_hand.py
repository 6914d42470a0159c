"""The TWS peer from the outside: a process, its control port, and its log."""

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from deepstack.config import ROOT
from deepstack.local.child_cleanup import parent_pipe

ACCOUNT = "DU1234567"


class TwsHand:
    """`do` tells the peer something; `log` is every message so far."""

    def __init__(self, port: int, control: int, path: Path) -> None:
        self.port = port
        self._path = path
        self._socket = socket.create_connection(("127.0.0.1", control), timeout=10)
        self._file = self._socket.makefile("rw")

    def do(self, what: str, **arguments: Any) -> Any:
        self._file.write(json.dumps({"do": what, **arguments}) + "\n")
        self._file.flush()
        answer = json.loads(self._file.readline())
        if isinstance(answer, dict) and "error" in answer:
            raise RuntimeError(f"{what}: {answer['error']}")
        return answer

    def log(self, kind: int | None = None, way: str = "in") -> list[dict[str, Any]]:
        """Messages that came in (or went out), of one kind or of all."""
        lines = [json.loads(line) for line in self._path.read_text().splitlines()]
        return [
            line
            for line in lines
            if line["way"] == way and kind in (None, int(line["fields"][0] or -1))
        ]

    def close(self) -> None:
        self._file.close()
        self._socket.close()


@contextmanager
def running_tws(folder: Path) -> Iterator[TwsHand]:
    path = folder / "tws.jsonl"
    command = [sys.executable, "-m", "tests.brokers.peers.tws", str(path), "--accounts", ACCOUNT]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True, pass_fds=parent_pipe()
    ) as process:
        try:
            assert process.stdout is not None
            ports = json.loads(process.stdout.readline())
            hand = TwsHand(ports["port"], ports["control"], path)
            yield hand
            hand.close()
        finally:
            process.kill()
