"""Desks: which people see and touch which accounts."""

import django.core.validators
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("execution", "0044_second_factor"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Desk",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=64, unique=True)),
                ("members", models.ManyToManyField(blank=True, related_name="desks", to=settings.AUTH_USER_MODEL)),
            ],
            options={
                "permissions": [("every_desk", "Can see and touch the accounts of every desk"), ("halt_own_desk", "Can halt the accounts of the own desks")],
            },
        ),
        migrations.CreateModel(
            name="DeskAccount",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("account", models.CharField(max_length=32, unique=True, validators=[django.core.validators.RegexValidator("\\A[A-Za-z0-9_.][A-Za-z0-9_.-]{0,31}\\Z", "must be 1 to 32 letters, digits, _ or ., and after the first also -")])),
                ("desk", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="accounts", to="execution.desk")),
            ],
        ),
    ]
