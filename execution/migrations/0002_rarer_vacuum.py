"""The tables of the hot path are vacuumed and analysed after many changes, not after a few hundred.

Each time, every connection plans its statements for the table anew, all at once, and slices that
are due just then are late. The statements find their rows by key: new statistics do not change
their plans.
"""

from typing import ClassVar

from django.db import migrations
from django.db.migrations.operations.base import Operation

TABLES = ("execution_order", "execution_slice", "execution_fill", "execution_orderevent")
CHANGES = 100_000  # besides PostgreSQL's own shares of the table
THRESHOLDS = (
    "autovacuum_vacuum_threshold",
    "autovacuum_vacuum_insert_threshold",
    "autovacuum_analyze_threshold",
)
RARELY = ", ".join(f"{name} = {CHANGES}" for name in THRESHOLDS)
AS_USUAL = ", ".join(THRESHOLDS)


class Migration(migrations.Migration):
    dependencies: ClassVar[list[tuple[str, str]]] = [("execution", "0001_initial")]
    operations: ClassVar[list[Operation]] = [
        migrations.RunSQL(
            f"ALTER TABLE {table} SET ({RARELY})", f"ALTER TABLE {table} RESET ({AS_USUAL})"
        )
        for table in TABLES
    ]
