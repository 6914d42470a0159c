"""No new order is stored on a disk that is nearly full: what is left is for cancels and fills.

What counts are the disks of this machine that rows and logs go to. The disk of a PostgreSQL
elsewhere cannot be asked for: watch it there.
"""

import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from deepstack.config import Config
from deepstack.local.embedded_servers import VAR


class DiskNearlyFull(RuntimeError):
    """Nothing was stored; what is stored can be cancelled."""


@dataclass(frozen=True, slots=True)
class Space:
    folder: Path
    free: int  # bytes
    share: float  # of the disk


def require(config: Config) -> None:
    """Raises DiskNearlyFull below `disk.least_free`."""
    for space in measured(config):
        if space.share < config.disk.least_free:
            raise DiskNearlyFull(
                f"the disk of {space.folder} is nearly full ({space.share:.1%} free): no new order"
                " is taken, cancels work. Make room, then send it again"
            )


def measured(config: Config) -> Iterator[Space]:
    for folder in _folders(config):
        with suppress(OSError):  # a folder that is not there yet
            usage = shutil.disk_usage(folder)
            yield Space(folder, usage.free, usage.free / usage.total if usage.total else 1.0)


def _folders(config: Config) -> list[Path]:
    rows = [] if config.database_url else [VAR]
    return [*rows, config.log_file.parent]
