"""What special days did, beside the profile of all symbols."""

from typing import ClassVar

from django.db import migrations, models
from django.db.migrations.operations.base import Operation


class Migration(migrations.Migration):
    dependencies: ClassVar[list[tuple[str, str]]] = [("execution", "0013_guide_formula")]

    operations: ClassVar[list[Operation]] = [
        migrations.AddField(
            model_name="volumeprofile",
            name="special_days",
            field=models.JSONField(blank=True, default=dict),
        ),
    ]
