"""`reported_at`, `typical_vwap_deviation_bps`, and labels of the ways in."""

from typing import ClassVar

from django.db import migrations, models
from django.db.migrations.operations.base import Operation

VIA = [
    ("API", "REST"),
    ("ADMIN", "back office"),
    ("CLI", "command line"),
    ("PYTHON", "Python"),
    ("SERVICE", "service"),
]
RENAME = """
UPDATE execution_order SET routing = (routing - '{old}')
    || jsonb_build_object('{new}', routing -> '{old}')
WHERE routing ? '{old}'
"""
OLD, NEW = "usual_vwap_deviation_bps", "typical_vwap_deviation_bps"


class Migration(migrations.Migration):
    dependencies: ClassVar[list[tuple[str, str]]] = [("execution", "0024_real_time_columns")]

    operations: ClassVar[list[Operation]] = [
        migrations.RenameField("paperexecution", "told_at", "reported_at"),
        migrations.AlterField(
            "order", "submitted_via", models.CharField(blank=True, choices=VIA, max_length=8)
        ),
        migrations.AlterField(
            "tradingstatechange",
            "changed_via",
            models.CharField(blank=True, choices=VIA, max_length=8),
        ),
        migrations.RenameIndex("orderevent", new_name="event_by_order", old_name="event_story"),
        migrations.RunSQL(RENAME.format(old=OLD, new=NEW), RENAME.format(old=NEW, new=OLD)),
    ]
