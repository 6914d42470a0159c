import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [("monitoring", "0013_webhooks")]

    operations = [
        migrations.CreateModel(
            name="DayCosts",
            fields=[
                (
                    "summary",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="costs",
                        serialize=False,
                        to="monitoring.dailysummary",
                    ),
                ),
                ("measures", models.JSONField()),
                ("groups", models.JSONField()),
                ("worst", models.JSONField()),
            ],
            options={
                "verbose_name": "day's costs (internal)",
                "verbose_name_plural": "days' costs (internal)",
            },
        ),
    ]
