"""Trading halts that a source of market data reports, beside those that people enter."""

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("execution", "0047_restricted_by_account")]

    operations = [
        migrations.AlterModelOptions(
            name="markethalt", options={"verbose_name": "trading halt"}
        ),
        migrations.AddField(
            model_name="markethalt",
            name="source",
            field=models.CharField(blank=True, db_default="", default="", max_length=16),
        ),
        migrations.AddConstraint(
            model_name="markethalt",
            constraint=models.UniqueConstraint(
                fields=("source", "symbol"),
                condition=Q(end_at__isnull=True) & ~Q(source=""),
                name="market_halt_reported_once",
            ),
        ),
    ]
