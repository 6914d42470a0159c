from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("execution", "0018_calibration_coverage")]
    operations = [
        migrations.CreateModel(
            name="PaperFlow",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("symbol", models.CharField(max_length=16)),
                ("minute", models.DateTimeField()),
                ("bought", models.BigIntegerField()),
                ("sold", models.BigIntegerField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("symbol", "minute"), name="paper_flow_once")
                ],
            },
        ),
    ]
