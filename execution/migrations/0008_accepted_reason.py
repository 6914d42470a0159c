from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("execution", "0003_settled_value")]

    operations = [
        migrations.AddField(
            model_name="brokerdifference",
            name="accepted_reason",
            field=models.CharField(blank=True, max_length=300),
        ),
    ]
