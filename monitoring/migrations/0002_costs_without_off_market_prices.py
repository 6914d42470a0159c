"""No figure of cost rests on a decision price that the market did not know.

The costs count as computed now, so that the summaries of their days are written again.
"""

from typing import Any, ClassVar

from django.db import migrations
from django.db.migrations.operations.base import Operation
from django.utils import timezone

OF_THE_DECISION = ("delay", "trading", "opportunity", "fees", "shortfall_bps")


def clear(apps: Any, editor: Any) -> None:
    costs = apps.get_model("monitoring", "CostAnalysis").objects
    judged = costs.filter(delay__isnull=False).exclude(order__decision_within_collar=True)
    judged.update(computed_wall=timezone.now(), **dict.fromkeys(OF_THE_DECISION))


class Migration(migrations.Migration):
    dependencies: ClassVar[list[tuple[str, str]]] = [
        ("monitoring", "0003_watch_mark"),
        ("execution", "0003_settled_value"),
    ]
    operations: ClassVar[list[Operation]] = [
        migrations.RunPython(clear, migrations.RunPython.noop)
    ]
