"""Stored kinds of events and alerts are renamed, and back again."""

from importlib import import_module

import pytest
from django.apps import apps
from django.db import connection
from django.db.migrations import RunPython

from execution.domain.event_kinds import EventKind
from execution.models import Order, OrderEvent
from monitoring.models import Alert
from tests.integration.monitoring.rows import NOON, working

events = import_module("execution.migrations.0012_event_kinds")
alerts = import_module("monitoring.migrations.0005_missing_at_broker")
RENAMED = sorted(events.RENAMED)


def store_event(order: Order, kind: str) -> OrderEvent:
    return OrderEvent.objects.create(order=order, kind=kind, data={}, at=NOON)


def kinds(order: Order) -> list[str]:
    return list(order.events.exclude(kind="ORDER_STATUS").values_list("kind", flat=True))


@pytest.mark.django_db
def test_stored_events_take_their_new_names_and_their_old_ones_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(events, "BATCH", 2)
    order = working()
    for kind in [*RENAMED, *RENAMED, *RENAMED, "FILL"]:
        store_event(order, kind)
    (step,) = (each for each in events.Migration.operations if isinstance(each, RunPython))
    with connection.schema_editor(atomic=False) as editor:
        step.code(apps, editor)
        assert kinds(order) == [*[events.RENAMED[kind] for kind in RENAMED] * 3, "FILL"]
        assert set(kinds(order)) <= set(EventKind)
        step.reverse_code(apps, editor)
    assert kinds(order) == [*RENAMED * 3, "FILL"]


@pytest.mark.django_db
def test_a_stored_alert_keeps_its_key_under_its_new_name() -> None:
    order = working()
    stored = Alert.objects.create(
        kind="LOST_AT_BROKER",
        severity="CRITICAL",
        message="lost",
        order=order,
        dedupe_key=f"LOST_AT_BROKER:order:{order.pk}:3",
        raised_at=NOON,
        raised_at_real=NOON,
    )
    (step,) = alerts.Migration.operations
    for sql, kind in ((step.sql, "MISSING_AT_BROKER"), (step.reverse_sql, "LOST_AT_BROKER")):
        with connection.cursor() as cursor:
            cursor.execute(sql)
        stored.refresh_from_db()
        assert (stored.kind, stored.dedupe_key) == (kind, f"{kind}:order:{order.pk}:3")
