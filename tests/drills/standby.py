"""A second machine: a PostgreSQL that follows the first one's, and a Redis that waits."""

import os
import pwd
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from deepstack.backup import programs
from deepstack.local import embedded_servers, server_programs
from tests.chaos.venue import wait_until

PATIENCE = 30.0  # seconds
_FOLLOWERS = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'"


@dataclass(frozen=True, slots=True)
class Standby:
    """The servers of one folder."""

    root: Path

    @property
    def redis_url(self) -> str:
        return embedded_servers.addresses(self.root).redis_url

    def promote(self) -> None:
        """Its PostgreSQL takes writes from the moment this returns."""
        url = embedded_servers.addresses(self.root).database_url
        with psycopg.connect(url, autocommit=True) as own:
            own.execute("SELECT pg_promote(true)")

    def start_redis(self) -> None:
        embedded_servers.revive(self.root, database=True, broker=True)


@contextmanager
def following(primary: Path, root: Path) -> Iterator[Standby]:
    """A copy of the cluster that listens in the folder `primary`, which receives what that one
    writes as long as the block lasts, or until it is promoted."""
    _copy(primary, root)
    with embedded_servers.started(root, broker=False):
        with psycopg.connect(server_programs.postgres_url(primary), autocommit=True) as asked:
            wait_until(lambda: _number(asked, _FOLLOWERS), PATIENCE, "the standby to follow")
        yield Standby(root)


def both_hosts(first: Path, second: Path) -> str:
    """The DATABASE_URL of a service with a standby; both are folders with a socket in them."""
    return f"postgresql://postgres@/postgres?host={first},{second}"


def _copy(primary: Path, root: Path) -> None:
    """By the user that the servers run as: PostgreSQL refuses root."""
    data = root / "postgres"
    data.mkdir(parents=True, mode=0o700)
    owner = pwd.getpwnam(server_programs.SYSTEM_USER) if os.geteuid() == 0 else None
    if owner:
        os.chown(data, owner.pw_uid, owner.pw_gid)
    subprocess.run(
        [
            programs.program("pg_basebackup", at_least=0),
            *("--write-recovery-conf", "--wal-method=stream", "--checkpoint=fast"),
            *("--pgdata", str(data), "--host", str(primary), "--username", "postgres"),
        ],
        check=True,
        cwd="/",
        stdout=subprocess.DEVNULL,
        user=owner.pw_uid if owner else None,
        group=owner.pw_gid if owner else None,
        extra_groups=[] if owner else None,
    )


def _number(session: "psycopg.Connection[tuple[int, ...]]", question: str) -> int:
    row = session.execute(question).fetchone()
    return int(row[0]) if row else 0
