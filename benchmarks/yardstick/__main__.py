"""The load of the yardstick: `python -m benchmarks.yardstick RATE SECONDS`, printed as JSON.

Its worker runs already. The tables are made anew each time.
"""

import json
import sys
import time
from datetime import datetime, timedelta
from itertools import cycle, islice

from django.db import connection
from django.utils import timezone

from benchmarks.load import percentiles
from benchmarks.yardstick import worker

LEAD_SECONDS = 5.0
PATIENCE = 60.0
PER_PARENT = 10


def main() -> None:
    rate, seconds = int(sys.argv[1]), int(sys.argv[2])
    _make_tables()
    first = timezone.now() + timedelta(seconds=LEAD_SECONDS)
    children = _store(rate, seconds, first)
    with worker.app.producer_or_acquire() as producer:
        for child in children:
            worker.send.apply_async((child.pk,), eta=child.due_at, producer=producer)
    end = first.timestamp() + seconds
    in_time = _filled_by(end, len(children))
    _filled_by(end + PATIENCE, len(children))
    filled = worker.Child.objects.filter(status="FILLED").values_list("sent_at", "due_at")
    late = [(sent - due) / timedelta(milliseconds=1) for sent, due in filled]
    figures = {"rate": rate, "planned": len(children), "sent": len(late), "in_time": in_time}
    print(json.dumps(figures | percentiles(late or [0.0])))


def _make_tables() -> None:
    models = (worker.Parent, worker.Child, worker.Execution)
    known = connection.introspection.table_names()
    with connection.schema_editor() as editor:
        for model in reversed(models):
            if model._meta.db_table in known:
                editor.delete_model(model)
        for model in models:
            editor.create_model(model)


def _store(rate: int, seconds: int, first: datetime) -> list[worker.Child]:
    count, pause = rate * seconds, timedelta(seconds=1 / rate)
    parents = worker.Parent.objects.bulk_create(
        [worker.Parent() for _ in range(-(-count // PER_PARENT))]
    )
    return worker.Child.objects.bulk_create(
        [
            worker.Child(parent=parent, quantity=100, due_at=first + place * pause)
            for place, parent in enumerate(islice(cycle(parents), count))
        ]
    )


def _filled_by(end: float, count: int) -> int:
    """How many are filled when all are, or at `end`, in seconds since the epoch."""
    while True:
        filled = worker.Child.objects.filter(status="FILLED").count()
        if filled >= count or time.time() >= end:
            return filled
        time.sleep(0.2)


if __name__ == "__main__":
    main()
