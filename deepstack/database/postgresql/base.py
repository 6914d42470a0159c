"""Django's PostgreSQL, except that a session which can do its work no more is given up at once,
and that a migration has the time that a request does not have.

Django keeps a connection as long as `SELECT 1` succeeds on it, which a session that has become
read-only, or that has lost its prepared statements, can do for ever.
"""

from contextlib import suppress
from types import TracebackType
from typing import Any, Self

import psycopg
from django.db.backends.postgresql import base
from django.db.backends.postgresql.schema import DatabaseSchemaEditor
from django.db.utils import DatabaseError, DatabaseErrorWrapper
from django.utils.functional import cached_property
from typing_extensions import override

from deepstack.database.sessions import is_spent


class _ErrorWrapper(DatabaseErrorWrapper):
    """Every error of the driver passes here on its way to becoming one of Django's."""

    @override
    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if isinstance(exc_value, psycopg.Error):
            self.wrapper.give_up_if_spent(exc_value)  # type: ignore[attr-defined]
        super().__exit__(exc_type, exc_value, traceback)


class _SchemaEditor(DatabaseSchemaEditor):
    """Every migration runs inside one. An index on years of rows takes longer than a request may,
    and between two statements Django works out the next state of all models. That a lock is
    waited for no longer than `lock_timeout` stays: orders would queue up behind the migration."""

    @override
    def __enter__(self) -> Self:
        super().__enter__()
        self._limits("SET LOCAL {} = 0" if self.atomic_migration else "SET {} = 0")
        return self

    @override
    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        super().__exit__(exc_type, exc_value, traceback)
        if not self.atomic_migration:
            with suppress(DatabaseError):  # of a session that was lost, and its limits with it
                self._limits("RESET {}")

    def _limits(self, statement: str) -> None:
        if self.collect_sql:  # for `sqlmigrate`, which only prints
            return
        with self.connection.cursor() as cursor:
            for name in ("statement_timeout", "idle_in_transaction_session_timeout"):
                cursor.execute(statement.format(name))


class DatabaseWrapper(base.DatabaseWrapper):
    connection: Any
    SchemaEditorClass = _SchemaEditor

    @cached_property
    def wrap_database_errors(self) -> DatabaseErrorWrapper:
        return _ErrorWrapper(self)

    def give_up_if_spent(self, error: psycopg.Error) -> None:
        """Close the session, with the locks that it holds; the next query opens another. Inside a
        transaction, which is lost with it, that is at the outermost end."""
        own = self.connection
        if own is not None and (own.closed or is_spent(error.sqlstate)):
            self.close()

    @override
    def is_usable(self) -> bool:
        """Whether the session still answers, and could write: a standby cannot, nor can a session
        that began while its database was read-only."""
        if self.connection is None:
            return False
        try:
            row = self.connection.execute("SHOW transaction_read_only").fetchone()
        except psycopg.Error:
            return False
        return bool(row[0] == "off")
