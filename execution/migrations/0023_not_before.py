from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("execution", "0016_live_orders_by_book"),
    ]

    operations = [
        migrations.AddField(
            model_name="tradingstate",
            name="not_before_real",
            field=models.DateTimeField(
                blank=True, null=True, verbose_name="cool-down until, real time"
            ),
        ),
    ]
