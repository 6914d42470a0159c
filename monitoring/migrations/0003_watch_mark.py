from typing import ClassVar

from django.db import migrations, models
from django.db.migrations.operations.base import Operation


class Migration(migrations.Migration):
    dependencies: ClassVar[list[tuple[str, str]]] = [("monitoring", "0004_alerts_end")]
    operations: ClassVar[list[Operation]] = [
        migrations.AddField("watchmark", "coming_id", models.BigIntegerField(default=0)),
        migrations.AddField(
            "watchmark", "coming_wall", models.DateTimeField(blank=True, null=True)
        ),
        migrations.AddField("watchmark", "seen_until", models.BigIntegerField(blank=True, null=True)),
        migrations.AddField(
            "watchmark", "looked_wall", models.DateTimeField(blank=True, null=True)
        ),
    ]
