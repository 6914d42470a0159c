"""Whether the way to a live broker is open, as the process that keeps the connection sees it."""

from typing import ClassVar

from django.db import migrations, models
from django.db.migrations.operations.base import Operation


class Migration(migrations.Migration):
    dependencies: ClassVar[list[tuple[str, str]]] = [("execution", "0004_what_was_asked")]
    operations: ClassVar[list[Operation]] = [
        migrations.CreateModel(
            name="BrokerLink",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("broker", models.CharField(max_length=16)),
                ("address", models.CharField(max_length=200)),
                ("up", models.BooleanField()),
                ("reason", models.CharField(blank=True, max_length=300)),
                ("since", models.DateTimeField()),
                ("seen_at", models.DateTimeField()),
                ("process", models.CharField(blank=True, max_length=120)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("broker", "address"), name="broker_link_once")
                ],
            },
        ),
    ]
