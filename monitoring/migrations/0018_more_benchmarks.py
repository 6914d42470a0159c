from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("monitoring", "0021_alert_note")]
    operations = [
        migrations.AddField(
            model_name="costanalysis",
            name="pwp5_bps",
            field=models.DecimalField(blank=True, decimal_places=4, max_digits=24, null=True),
        ),
        migrations.AddField(
            model_name="costanalysis",
            name="pwp10_bps",
            field=models.DecimalField(blank=True, decimal_places=4, max_digits=24, null=True),
        ),
        migrations.AddField(
            model_name="costanalysis",
            name="open_bps",
            field=models.DecimalField(blank=True, decimal_places=4, max_digits=24, null=True),
        ),
        migrations.AddField(
            model_name="costanalysis",
            name="close_bps",
            field=models.DecimalField(blank=True, decimal_places=4, max_digits=24, null=True),
        ),
        migrations.AddField(
            model_name="costanalysis",
            name="late_reversion_bps",
            field=models.DecimalField(blank=True, decimal_places=4, max_digits=24, null=True),
        ),
        migrations.AddField(
            model_name="costanalysis",
            name="spread_capture",
            field=models.DecimalField(blank=True, decimal_places=4, max_digits=12, null=True),
        ),
        migrations.AddField(
            model_name="costanalysis",
            name="late_due_wall",
            field=models.DateTimeField("late benchmarks due, real time", null=True, blank=True),
        ),
        migrations.AddIndex(
            model_name="costanalysis",
            index=models.Index(
                fields=["late_due_wall"],
                condition=models.Q(("late_due_wall__isnull", False)),
                name="cost_late_due",
            ),
        ),
    ]
