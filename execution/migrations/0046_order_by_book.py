"""An own order on the other side is found by its side, too: one symbol may have many on this one.

Not in one transaction: there may be millions of orders. Every step may run again.
"""

from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("execution", "0045_desks")]

    operations = [
        AddIndexConcurrently(
            model_name="order",
            index=models.Index(fields=["account", "symbol", "side"], name="order_by_book"),
        ),
        RemoveIndexConcurrently(model_name="order", name="order_position"),
    ]
