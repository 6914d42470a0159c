"""No new order is stored on a disk that is nearly full: what is left is for cancels and fills.

What counts are the disks of this machine that rows and logs go to. The disk of a PostgreSQL
elsewhere cannot be asked for: watch it there.
"""

import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from django.db import connection

from deepstack.config import Config


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
    return [
        *_rows_of_this_machine(str(connection.get_connection_params().get("host", ""))),
        config.log_file.parent,
    ]


@cache
def _rows_of_this_machine(host: str) -> tuple[Path, ...]:
    """Where a PostgreSQL behind a Unix socket keeps its rows; none where it may not be asked. A
    socket may lie on another disk than they do."""
    if not host.startswith("/"):
        return ()
    with connection.cursor() as cursor:
        cursor.execute("SELECT setting FROM pg_settings WHERE name = 'data_directory'")
        return tuple(Path(folder) for (folder,) in cursor.fetchall())
