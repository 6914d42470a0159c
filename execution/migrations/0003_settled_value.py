"""When an order's value was compared with the market, and whether its decision price was of it.

What is stored already was let in by other rules: it counts as compared, and its decision price is
judged by the quote at its arrival and the collar's default.
"""

from decimal import Decimal
from typing import Any, ClassVar

from django.db import migrations, models
from django.db.migrations.operations.base import Operation
from django.db.models import F, Q

COLLAR = Decimal("0.10")


def judge(apps: Any, editor: Any) -> None:
    orders = apps.get_model("execution", "Order").objects
    orders.update(settled_at=F("created_at"))
    compared = orders.filter(
        decision_price__isnull=False, arrival_bid__gt=0, arrival_ask__gte=F("arrival_bid")
    )
    within = Q(
        decision_price__gte=F("arrival_bid") * (1 - COLLAR),
        decision_price__lte=F("arrival_ask") * (1 + COLLAR),
    )
    compared.filter(within).update(decision_within_collar=True)
    compared.exclude(within).update(decision_within_collar=False)


class Migration(migrations.Migration):
    dependencies: ClassVar[list[tuple[str, str]]] = [("execution", "0005_submitted_by")]
    operations: ClassVar[list[Operation]] = [
        migrations.AddField(
            model_name="order",
            name="decision_within_collar",
            field=models.BooleanField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="order",
            name="settled_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.RunPython(judge, migrations.RunPython.noop),
    ]
