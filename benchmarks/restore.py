"""How long a backup and its restore take with a large database.

`python -m benchmarks.restore [--gigabytes 10]` starts PostgreSQL and Redis of its own, lets the
service work a few orders, copies one of them with its slices, fills and events until the database
is so large, and runs the commands as people do. Prints one JSON document. It needs four times the
space on the disk of the temporary folder.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.load import stolen_since
from benchmarks.service import stores, team, told
from deepstack import processes

AT_ONCE = 20_000  # orders copied by one statement


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--gigabytes", type=float, default=10.0)
    asked = words.parse_args()
    with stores() as (folder, programs):
        with team(folder, programs):
            pass  # its warming up works some orders
        json.dump(figures(Path(folder), asked.gigabytes), sys.stdout, indent=2)
        print()


def figures(folder: Path, gigabytes: float) -> dict[str, object]:
    from django.db import connection

    stolen, found = stolen_since(), grown(gigabytes)
    connection.close()
    backups = folder / "backups"
    backing_up = seconds_of("backup", "--to", str(backups))
    [backup] = backups.glob("*.dump")
    restoring = seconds_of("restore", str(backup))
    return {
        "cores": os.cpu_count(),
        **found,
        "dump_gigabytes": round(backup.stat().st_size / 1e9, 2),
        "backup_seconds": backing_up,
        "restore_seconds": restoring,
        "stolen_percent": stolen(),
    }


def grown(gigabytes: float) -> dict[str, object]:
    """Fill the database up to so many bytes on disk."""
    from django.db import connection

    from benchmarks.old_orders import copy_whole
    from execution.models import Order, OrderEvent, Slice

    order = Order.objects.filter(status="FILLED").order_by("pk")[0]
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
    while (size := database_bytes()) < gigabytes * 1e9:
        told({"gigabytes": round(size / 1e9, 2)})
        copy_whole(order, AT_ONCE)
    counts = {
        model.__name__: model._default_manager.count() for model in (Order, Slice, OrderEvent)
    }
    return {"database_gigabytes": round(size / 1e9, 2), "rows": counts}


def database_bytes() -> int:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_database_size(current_database())")
        return int(cursor.fetchone()[0])


def seconds_of(*words: str) -> float:
    """Of a command of the service."""
    began = time.monotonic()
    subprocess.run(processes.manage(*words), check=True, stdout=sys.stderr)
    return round(time.monotonic() - began, 1)


if __name__ == "__main__":
    main()
