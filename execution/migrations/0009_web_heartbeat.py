from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("execution", "0007_broker_link")]

    operations = [
        migrations.AlterField(
            model_name="heartbeat",
            name="kind",
            field=models.CharField(
                choices=[
                    ("WORKER", "Worker"),
                    ("DISPATCH", "Dispatch"),
                    ("LISTENER", "Listener"),
                    ("WEB", "Web"),
                ],
                max_length=8,
            ),
        )
    ]
