"""Recovery codes of a second factor, and who has changed whose."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("execution", "0041_order_cool_down"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="RecoveryCode",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("digest", models.CharField(max_length=64, unique=True)),
                ("used_at_real", models.DateTimeField(blank=True, null=True, verbose_name="used at, real time")),
                ("user", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="recovery_codes", to=settings.AUTH_USER_MODEL)),
            ],
        ),
        migrations.CreateModel(
            name="SecondFactorChange",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("user", models.CharField(max_length=150)),
                ("kind", models.CharField(choices=[("ENROLLED", "Enrolled"), ("CODES_RENEWED", "Codes Renewed"), ("RECOVERY_CODE_USED", "Recovery Code Used"), ("RESET", "Reset")], max_length=20)),
                ("changed_by", models.CharField(max_length=150)),
                ("changed_via", models.CharField(choices=[("API", "REST"), ("ADMIN", "back office"), ("CLI", "command line"), ("PYTHON", "Python"), ("SERVICE", "service")], max_length=8)),
                ("reason", models.CharField(blank=True, max_length=300)),
                ("changed_at_real", models.DateTimeField(auto_now_add=True, verbose_name="changed at, real time")),
            ],
            options={
                "ordering": ["-id"],
                "constraints": [models.CheckConstraint(condition=models.Q(models.Q(("kind", "RESET"), _negated=True), models.Q(("reason", ""), _negated=True), _connector="OR"), name="second_factor_reset_has_reason")],
            },
        ),
    ]
