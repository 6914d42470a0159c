"""Kinds of events under the names that traders use, and the index that reads two of them.

Not in one transaction: an audit trail may hold millions of events. Every step may run again.
"""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models
from django.db.migrations.operations.base import Operation

RENAMED = {
    "LOST_AT_BROKER": "MISSING_AT_BROKER",
    "UNKNOWN_LASTS": "OUTCOME_UNKNOWN",
    "SLICES_STATUS": "SLICES_CHANGED",
    "SLICE_SENDING_AGAIN": "SLICE_RESENDING",
}
BATCH = 10_000
KINDS = (
    "ORDER_ACCEPTED ORDER_DENIED ORDER_STATUS ORDER_REASON ORDER_AMENDED CANCEL_REQUESTED "
    "TRADING_STATE POSITION_BREAK_ACCEPTED RESIDUAL_PLANNED SHARES_RETURNED SLICE_STATUS "
    "SLICES_CHANGED SLICE_DEFERRED SLICE_SENDING SLICE_RESENDING SLICE_REASON FILL LATE_FILL "
    "FILL_CORRECTED FILL_CONFLICT COMMISSION BROKER_REJECTED OUTCOME_UNKNOWN MISSING_AT_BROKER"
).split()


def rename(names: Mapping[str, str]) -> Callable[[Any, Any], None]:
    def run(apps: Any, editor: Any) -> None:
        events = apps.get_model("execution", "OrderEvent").objects.using(editor.connection.alias)
        for old, new in names.items():
            batch = events.filter(kind=old).order_by("id").values("id")[:BATCH]
            while events.filter(id__in=batch).update(kind=new):
                pass

    return run


class Migration(migrations.Migration):
    atomic = False
    dependencies: ClassVar[list[tuple[str, str]]] = [("execution", "0008_accepted_reason")]
    operations: ClassVar[list[Operation]] = [
        RemoveIndexConcurrently(model_name="orderevent", name="event_sent_recent"),
        migrations.AlterField(
            model_name="orderevent",
            name="kind",
            field=models.CharField(choices=[(kind, kind) for kind in KINDS], max_length=32),
        ),
        migrations.RunPython(
            rename(RENAMED), rename({new: old for old, new in RENAMED.items()}), elidable=True
        ),
        AddIndexConcurrently(
            model_name="orderevent",
            index=models.Index(
                condition=models.Q(kind__in=["SLICE_SENDING", "SLICE_RESENDING"]),
                fields=["recorded_wall"],
                name="event_sent_recent",
            ),
        ),
    ]
