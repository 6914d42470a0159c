"""Until when nobody resumes an order that a breaker has paused."""

from typing import ClassVar

from django.db import migrations, models
from django.db.migrations.operations.base import Operation


class Migration(migrations.Migration):
    dependencies: ClassVar[list[tuple[str, str]]] = [("execution", "0033_approval")]

    operations: ClassVar[list[Operation]] = [
        migrations.AddField(
            "order",
            "not_before_real",
            models.DateTimeField("cool-down until, real time", blank=True, null=True),
        )
    ]
