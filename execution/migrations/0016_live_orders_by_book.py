"""The shares pending beside an order are read by key, however many orders are live."""

from django.db import migrations, models

LIVE = ["ACCEPTED", "CANCELLING", "PAUSED", "WORKING"]


class Migration(migrations.Migration):
    dependencies = [("execution", "0025_plain_names")]

    operations = [
        migrations.AddIndex(
            model_name="order",
            index=models.Index(
                fields=["account", "symbol", "side"],
                condition=models.Q(status__in=LIVE),
                name="order_live_by_book",
            ),
        ),
    ]
