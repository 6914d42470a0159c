"""What a signal asked for, and what its caller's own configuration sets for its order."""

from typing import ClassVar

from django.db import migrations, models
from django.db.migrations.operations.base import Operation


class Migration(migrations.Migration):
    dependencies: ClassVar[list[tuple[str, str]]] = [("execution", "0002_rarer_vacuum")]
    operations: ClassVar[list[Operation]] = [
        migrations.AddField("order", name, models.JSONField(blank=True, default=dict))
        for name in ("asked", "own_settings")
    ]
