"""Files that only the service's own user reads: logs name accounts, positions and strategies."""

import os
from pathlib import Path
from typing import BinaryIO

MODE = 0o600


def open_to_others(path: Path) -> bool:
    """Whether anybody but its owner may read the file; a file that is not there is private."""
    try:
        return bool(path.stat().st_mode & 0o077)
    except FileNotFoundError:
        return False


def append_to(path: Path) -> BinaryIO:
    """The file opened at its end, made where it is missing; one that exists keeps its mode."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, MODE), "ab")
