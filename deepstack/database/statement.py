"""One statement that PostgreSQL keeps the plan of, run on this thread's connection."""

import threading
from collections.abc import Sequence
from typing import Any, Self

import psycopg
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.utils import CursorDebugWrapper, CursorWrapper
from psycopg import sql
from psycopg.types.datetime import TimestamptzLoader
from psycopg.types.numeric import Int8
from typing_extensions import override

_INT8 = range(-(2**63), 2**63)


class _Cursor(psycopg.Cursor[Any]):
    """Its statement is prepared at the first use, whoever runs it."""

    @override
    def execute(self, query: Any, params: Any = None, **options: Any) -> Self:
        return super().execute(query, params, **{"prepare": True, **options})


class _Logged(CursorDebugWrapper):
    """Django's log of queries asks the cursor for its text, which psycopg forgets of a statement
    that is prepared already: it gets ours, with its placeholders."""

    @override
    def execute(self, sql: Any, params: Any = None) -> Any:
        with self.debug_sql(sql, params):
            return CursorWrapper.execute(self, sql, params)


class _Own(threading.local):
    connection: "psycopg.Connection[Any] | None" = None
    cursors: dict[str, _Cursor]


_own = _Own()


def run(text: str, values: Sequence[object] = ()) -> "psycopg.Cursor[Any]":
    """Its rows are to be read before the same statement runs again. Its errors are Django's.

    Django's own wrapper of a cursor runs it, so that whoever watches queries there sees it too:
    `connection.execute_wrappers`, `CaptureQueriesContext`, Sentry.
    """
    own = connections[DEFAULT_DB_ALIAS]
    own.close_if_health_check_failed()  # as every cursor of Django's own begins
    if own.connection is None:
        own.ensure_connection()
    cursor = _cursor(own.connection, text)
    wrapper = _Logged if own.queries_logged else CursorWrapper
    wrapper(cursor, own).execute(text, _widened(values))
    return cursor


def literal(value: object) -> str:
    return sql.Literal(value).as_string(None).replace("%", "%%")


def _cursor(connection: "psycopg.Connection[Any]", text: str) -> _Cursor:
    """Each statement has one of its own, which remembers how its values are read and written."""
    if _own.connection is not connection:
        _own.connection, _own.cursors = connection, {}
    cursor = _own.cursors.get(text)
    if cursor is None:
        cursor = _own.cursors[text] = _Cursor(connection)
        # psycopg's own, which is quicker than Django's; sessions are in UTC.
        cursor.adapters.register_loader("timestamptz", TimestamptzLoader)
    return cursor


def _widened(values: Sequence[object]) -> list[Any]:
    """Whole numbers as 64 bits: psycopg would take the smallest type for each, and PostgreSQL plan
    the statement anew for every mixture of sizes."""
    return [_wide(each) for each in values]


def _wide(value: object) -> object:
    if type(value) is int and value in _INT8:
        return Int8(value)
    return [_wide(each) for each in value] if type(value) is list else value
