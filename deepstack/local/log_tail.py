"""The warnings in a log file that another process writes."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

FILE_BYTES = 20_000_000
SHOWN = {"warning", "error", "critical"}


class WarningTail:
    """Reads what was added since the last call. Each JSON line has its level; others are passed
    over, since a process that fails before it can log is reported by its end."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.touch()
        self._read_to = path.stat().st_size

    def warnings(self) -> Iterator[str]:
        with self.path.open("rb") as log:
            log.seek(self._read_to)
            for line in log:
                if not line.endswith(b"\n"):
                    break  # still being written
                self._read_to += len(line)
                if text := _readable(line):
                    yield text
        if self._read_to > FILE_BYTES:
            self._rotate()

    def _rotate(self) -> None:
        """The writer appends to an open file: it is emptied, not replaced."""
        shutil.copy(self.path, self.path.with_suffix(".log.1"))
        with self.path.open("wb"):
            self._read_to = 0


def _readable(line: bytes) -> str:
    try:
        entry = json.loads(line)
    except ValueError:
        return ""
    if not isinstance(entry, dict) or entry.get("level") not in SHOWN:
        return ""
    known = {"event", "level", "logger", "timestamp", "exception"}
    details = " ".join(f"{key}={value}" for key, value in entry.items() if key not in known)
    return f"{entry['level']}: {entry.get('event', '')} {details}".strip()
