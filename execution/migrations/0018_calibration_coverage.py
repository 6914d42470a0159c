from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("execution", "0022_recovery")]
    operations = [
        migrations.AddField(
            model_name="slippagecalibration",
            name="prior_widened",
            field=models.FloatField(default=1.0),
        ),
        migrations.AddField(
            model_name="slippagecalibration",
            name="coverage",
            field=models.FloatField(blank=True, null=True),
        ),
    ]
