"""The test database, emptied between tests that commit."""

from collections.abc import Iterable

from django.apps import apps
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.db.models import Model
from django.test import TransactionTestCase

# Filled when the database is made, the last two with the roles; no test that commits writes here.
FIXED: tuple[type[Model], ...] = (
    ContentType,
    Permission,
    Group,
    Group.permissions.through,
)


def empty(models: Iterable[type[Model]]) -> None:
    """Forget the rows of these tables, and of those that refer to them.

    TRUNCATE costs milliseconds for each table, asking whether it holds a row next to nothing.
    """
    tables = [f'"{model._meta.db_table}"' for model in models]
    any_row = " UNION ALL ".join(
        f"SELECT '{table}' WHERE EXISTS (SELECT FROM {table})"  # noqa: S608  names of our own
        for table in tables
    )
    with connection.cursor() as cursor:
        cursor.execute(any_row)
        if filled := [name for (name,) in cursor.fetchall()]:
            cursor.execute(f"TRUNCATE {', '.join(filled)} CASCADE")


def empty_after_each_test() -> None:
    """What Django's `flush` does after a test that commits, without its second of work: it
    truncates every table, then makes permissions and content types anew."""

    def forget(case: TransactionTestCase) -> None:
        models = apps.get_models(include_auto_created=True)
        empty(model for model in models if model not in FIXED and model._meta.managed)

    TransactionTestCase._fixture_teardown = forget  # type: ignore[method-assign]


def forgo_fsync() -> None:
    """Have the private server hand its writes to the kernel and not wait for the disk: they
    outlive every process that a test kills, though not a power cut."""
    with connection.cursor() as cursor:
        for setting in ("fsync", "full_page_writes"):
            cursor.execute(f"ALTER SYSTEM SET {setting} = off")
        cursor.execute("SELECT pg_reload_conf()")


class QuickPasswords(PBKDF2PasswordHasher):
    """Passwords that cost no quarter of a second each; the service's own processes know them, as
    a stored password says how often it was hashed."""

    iterations = 1
