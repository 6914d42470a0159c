"""The alert of a child that the broker no longer knows takes the name of its event."""

from typing import ClassVar

from django.db import migrations
from django.db.migrations.operations.base import Operation

RENAME = """
UPDATE monitoring_alert SET
    kind = '{new}',
    dedupe_key = '{new}' || substr(dedupe_key, {cut})
WHERE kind = '{old}'
"""


def rename(old: str, new: str) -> str:
    return RENAME.format(old=old, new=new, cut=len(old) + 1)


class Migration(migrations.Migration):
    dependencies: ClassVar[list[tuple[str, str]]] = [("monitoring", "0002_costs_without_off_market_prices")]
    operations: ClassVar[list[Operation]] = [
        migrations.RunSQL(
            rename("LOST_AT_BROKER", "MISSING_AT_BROKER"),
            rename("MISSING_AT_BROKER", "LOST_AT_BROKER"),
        )
    ]
