"""The Celery application of the yardstick: `celery -A benchmarks.yardstick.worker worker`."""

import os
import uuid
from decimal import Decimal

import django
from celery import Celery

os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.yardstick.settings"
django.setup()

from django.db import transaction  # noqa: E402
from django.db.models import F  # noqa: E402
from django.utils import timezone  # noqa: E402

from benchmarks.yardstick.models import Child, Execution, Parent  # noqa: E402

PRICE = Decimal("150.01")

app = Celery("yardstick", broker=os.environ["YARDSTICK_BROKER"])
app.conf.update(task_ignore_result=True, task_acks_late=True, worker_prefetch_multiplier=1)


@app.task
def send(child_id: int) -> None:
    """Claim, "fill", add up: no check, no broker, no audit trail, no recovery."""
    now = timezone.now()
    planned = Child.objects.filter(pk=child_id, status="PLANNED")
    if not planned.update(status="SENDING", sent_at=now):
        return
    child = Child.objects.get(pk=child_id)
    with transaction.atomic():
        Execution.objects.create(
            child=child,
            execution_id=uuid.uuid4().hex,
            quantity=child.quantity,
            price=PRICE,
            executed_at=now,
        )
        Parent.objects.filter(pk=child.parent_id).update(
            filled=F("filled") + child.quantity, notional=F("notional") + child.quantity * PRICE
        )
        Child.objects.filter(pk=child_id).update(status="FILLED")
