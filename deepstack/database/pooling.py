"""Whether what answers as PostgreSQL gives each connection a session of its own.

Locks of a session keep a slice from being sent twice, and prepared statements and limits belong to
a session, too. A pooler that hands the next transaction to another server session takes all three
away without a word.
"""

from collections.abc import Mapping
from typing import Any

from psycopg import Connection, OperationalError, connect

ROUNDS = 5
_TRANSACTIONS = (
    "a pooler between this service and PostgreSQL gives each transaction another session"
    " (PgBouncer: pool_mode = transaction). The locks that keep a slice from being sent twice need"
    " a session of their own: set pool_mode = session for this database, or connect to PostgreSQL"
    " itself"
)


def problem(parameters: Mapping[str, Any], limits: Mapping[str, str]) -> str:
    """What is wrong with the way to the database, and what to do; empty when nothing is.
    `parameters`: of libpq; `limits`: settings that each session is opened with. Raises psycopg's
    errors."""
    try:
        with _session(parameters) as one, _session(parameters) as other:
            return _TRANSACTIONS if _shares_sessions(one, other) else _lost(one, limits)
    except OperationalError as error:
        if "startup parameter" not in str(error):
            raise
        return (
            "a pooler refuses the settings of a session. PgBouncer: ignore_startup_parameters ="
            f" options, and {_for_the_role(parameters.get('user', 'ROLE'), limits)}"
        )


def _session(parameters: Mapping[str, Any]) -> "Connection[Any]":
    return connect(autocommit=True, prepare_threshold=None, **parameters)


def _shares_sessions(one: "Connection[Any]", other: "Connection[Any]") -> bool:
    """Whether the server session that one has used serves the other, or is another the next
    time."""
    before = _pid(one)
    if before == one.info.backend_pid:
        return False  # PostgreSQL itself: a pooler tells a number of its own at the connect
    for _ in range(ROUNDS):
        with other.transaction():
            if _pid(other) == before or _pid(one) != before:
                return True
    return False


def _lost(session: "Connection[Any]", limits: Mapping[str, str]) -> str:
    for name, wanted in limits.items():
        row = session.execute("SELECT current_setting(%s)", [name]).fetchone()
        if row is None or row[0] != wanted:
            return (
                f"a pooler does not pass on the settings of a session: {name} is"
                f" {row[0] if row else 'unknown'} instead of {wanted}, and a request could wait for"
                f" ever. Set them in PostgreSQL: {_for_the_role(session.info.user, limits)}"
            )
    return ""


def _for_the_role(role: str, limits: Mapping[str, str]) -> str:
    return "; ".join(f"ALTER ROLE {role} SET {name} = '{text}'" for name, text in limits.items())


def _pid(session: "Connection[Any]") -> int:
    row = session.execute("SELECT pg_backend_pid()").fetchone()
    return int(row[0]) if row else 0
