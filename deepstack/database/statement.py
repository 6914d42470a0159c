"""One statement that PostgreSQL keeps the plan of, run on this thread's connection."""

import threading
from collections.abc import Sequence
from typing import Any

import psycopg
from django.db import DEFAULT_DB_ALIAS, connections
from psycopg import sql
from psycopg.types.datetime import TimestamptzLoader
from psycopg.types.numeric import Int8

_INT8 = range(-(2**63), 2**63)


class _Own(threading.local):
    connection: "psycopg.Connection[Any] | None" = None
    cursors: "dict[str, psycopg.Cursor[Any]]"


_own = _Own()


def run(text: str, values: Sequence[object] = ()) -> "psycopg.Cursor[Any]":
    """Its rows are to be read before the same statement runs again. Its errors are Django's."""
    own = connections[DEFAULT_DB_ALIAS]
    own.close_if_health_check_failed()  # as every cursor of Django's own begins
    if own.connection is None:
        own.ensure_connection()
    own.validate_no_broken_transaction()
    with own.wrap_database_errors:
        return _cursor(own.connection, text).execute(text, _told(values), prepare=True)


def literal(value: object) -> str:
    return sql.Literal(value).as_string(None).replace("%", "%%")


def _cursor(connection: "psycopg.Connection[Any]", text: str) -> "psycopg.Cursor[Any]":
    """Each statement has one of its own, which remembers how its values are read and written."""
    if _own.connection is not connection:
        _own.connection, _own.cursors = connection, {}
    cursor = _own.cursors.get(text)
    if cursor is None:
        cursor = _own.cursors[text] = psycopg.Cursor(connection)
        # psycopg's own, which is quicker than Django's; sessions are in UTC.
        cursor.adapters.register_loader("timestamptz", TimestamptzLoader)
    return cursor


def _told(values: Sequence[object]) -> list[object]:
    """Whole numbers as 64 bits: psycopg would take the smallest type for each, and PostgreSQL plan
    the statement anew for every mixture of sizes."""
    return [_wide(each) for each in values]


def _wide(value: object) -> object:
    if type(value) is int and value in _INT8:
        return Int8(value)
    return [_wide(each) for each in value] if type(value) is list else value
