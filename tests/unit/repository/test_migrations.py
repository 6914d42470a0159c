"""Two releases work side by side on one set of tables: the one before goes on while the next is
migrated and started process by process, and is what a rollback goes back to.

So a migration takes away nothing that the release before reads, and asks for nothing that it does
not write. What is to go is left unused in one release and removed in the next.
"""

from collections.abc import Iterator

import pytest
from django.db import migrations, models
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations.base import Operation
from django.db.models import NOT_PROVIDED

pytestmark = pytest.mark.any_date

OURS = ("execution", "monitoring")
TAKES_AWAY = (
    migrations.RemoveField,
    migrations.RenameField,
    migrations.DeleteModel,
    migrations.RenameModel,
    migrations.AlterModelTable,
)
# The first number after those of 1.1: the service is stopped between 1.0 and 1.1, which renames
# columns and adds some that 1.0 does not write.
FIRST = {"execution": "0040", "monitoring": "0040"}


def refusals(operation: Operation) -> Iterator[str]:
    """Why the release before cannot work on tables that were changed like this."""
    if isinstance(operation, TAKES_AWAY):
        yield f"{operation.describe()}: the release before still uses it"
    if isinstance(operation, migrations.AddField):
        field = operation.field
        filled = field.null or field.db_default is not NOT_PROVIDED or field.many_to_many
        if not filled:
            yield f"{operation.describe()}: the release before writes rows without it (db_default)"
    if isinstance(operation, migrations.SeparateDatabaseAndState):
        for each in operation.database_operations:
            yield from refusals(each)


LOADER = MigrationLoader(None)
ALL = sorted(key for key in LOADER.disk_migrations if key[0] in OURS)
FROM_NOW_ON = [(app, name) for app, name in ALL if name >= FIRST[app]]


def test_the_release_before_works_on_the_tables_of_this_one() -> None:
    found = {
        f"{app}.{name}": [
            words
            for operation in LOADER.disk_migrations[app, name].operations
            for words in refusals(operation)
        ]
        for app, name in FROM_NOW_ON
    }
    assert {name: words for name, words in found.items() if words} == {}


@pytest.mark.parametrize(
    ("operation", "allowed"),
    [
        (migrations.RemoveField("order", "note"), False),
        (migrations.RenameField("order", "note", "remark"), False),
        (migrations.DeleteModel("Order"), False),
        (migrations.RenameModel("Order", "Parent"), False),
        (migrations.AddField("order", "note", models.CharField(max_length=8)), False),
        (migrations.AddField("order", "note", models.CharField(max_length=8, default="")), False),
        (migrations.AddField("order", "note", models.CharField(max_length=8, null=True)), True),
        (migrations.AddField("order", "note", models.TextField(db_default="")), True),
        (migrations.AlterField("order", "note", models.CharField(max_length=8)), True),
        (migrations.CreateModel("Note", [("id", models.BigAutoField(primary_key=True))]), True),
        (
            migrations.SeparateDatabaseAndState(
                database_operations=[migrations.RemoveField("order", "note")]
            ),
            False,
        ),
        (
            migrations.SeparateDatabaseAndState(
                state_operations=[migrations.RemoveField("order", "note")]
            ),
            True,
        ),
    ],
)
def test_what_a_migration_may_do(operation: Operation, *, allowed: bool) -> None:
    assert (list(refusals(operation)) == []) is allowed
