"""What a second person must ask for, too."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("execution", "0032_archive")]

    operations = [
        migrations.CreateModel(
            name="Approval",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("subject", models.CharField(max_length=300)),
                ("reason", models.CharField(blank=True, max_length=300)),
                ("proposed_by", models.CharField(max_length=150)),
                ("proposed_at_real", models.DateTimeField(verbose_name="proposed at, real time")),
                ("expires_at_real", models.DateTimeField(verbose_name="expires at, real time")),
                ("approved_by", models.CharField(blank=True, max_length=150)),
                ("approved_at_real", models.DateTimeField(blank=True, null=True, verbose_name="approved at, real time")),
            ],
            options={
                "ordering": ["-id"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("approved_at_real__isnull", True), ("approved_by", "")),
                            models.Q(("approved_at_real__isnull", False), models.Q(("approved_by", ""), _negated=True)),
                            _connector="OR",
                        ),
                        name="approval_by_somebody",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("approved_by", models.F("proposed_by")), _negated=True),
                        name="approval_by_a_second_person",
                    ),
                ],
            },
        ),
    ]
