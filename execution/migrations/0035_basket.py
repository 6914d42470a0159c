"""The basket of an order."""

from typing import ClassVar

from django.db import migrations, models
from django.db.migrations.operations.base import Operation


class Migration(migrations.Migration):
    dependencies: ClassVar[list[tuple[str, str]]] = [("execution", "0023_not_before")]

    operations: ClassVar[list[Operation]] = [
        migrations.AddField(
            "order",
            "basket",
            models.CharField(blank=True, db_default="", default="", max_length=64),
        ),
        migrations.AddIndex(
            "order",
            models.Index(
                condition=models.Q(("basket", ""), _negated=True),
                fields=["basket", "-id"],
                name="order_basket",
            ),
        ),
    ]
