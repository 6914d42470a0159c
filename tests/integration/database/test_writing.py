"""What a transaction writes leaves together, and nobody who reads can tell."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from django.db import DatabaseError, connection, transaction

from deepstack.database.prepared_query import Param, Prepared
from deepstack.database.unit_of_work import Overtaken, gathered, insert, save
from execution.models import Order, OrderEvent, Slice
from execution.orders.journal import event
from tests.integration.order_steps import new_order

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.any_date]

NOON = datetime(2026, 6, 1, 16, tzinfo=UTC)
REASON = Prepared[tuple[str]](
    lambda: Order.objects.filter(pk=Param("order", 0)).values_list("status_reason")
)


@pytest.fixture
def order() -> Order:
    return new_order(parts=2)


def together(*writes: Callable[[], object]) -> None:
    with transaction.atomic(), gathered():
        for write in writes:
            write()


def kept() -> list[str]:
    """The statements that this connection has prepared."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement FROM pg_prepared_statements")
        return [text for (text,) in cursor.fetchall()]


def reason(order: Order) -> str:
    return Order.objects.values_list("status_reason", flat=True).get(pk=order.pk)


def fail() -> None:
    raise LookupError


def put(order: Order, text: str) -> None:
    order.status_reason = text
    save(order, "status_reason")


def test_all_that_is_written_leaves_as_one_statement(order: Order) -> None:
    first, second = order.slices.order_by("sequence")
    connection.close()
    with transaction.atomic(), gathered():
        put(order, "one")
        first.reason = second.reason = "two"
        save(first, "reason")
        save(second, "reason")
        insert([event(order, "A", {}, at=NOON)])
        insert([event(order, "B", {}, at=NOON, part=first)])
        put(order, "three")
    (text,) = kept()
    assert (text.count("UPDATE"), text.count("INSERT")) == (2, 1)  # one for both slices
    assert reason(order) == "three"
    assert set(order.slices.values_list("reason", flat=True)) == {"two"}
    assert list(order.events.values_list("kind", flat=True))[-2:] == ["A", "B"]


def test_whoever_reads_finds_what_was_written(order: Order) -> None:
    with transaction.atomic(), gathered():
        put(order, "for a queryset")
        assert reason(order) == "for a queryset"
        put(order, "for a prepared query")
        assert REASON.first(order=order.pk) == ("for a prepared query",)
        put(order, "by a queryset")
        Order.objects.filter(pk=order.pk).update(status_reason="after it")
    assert reason(order) == "after it"


def test_the_values_are_those_of_the_call(order: Order) -> None:
    with transaction.atomic(), gathered():
        put(order, "meant")
        order.status_reason = "not meant"
    assert reason(order) == "meant"


def test_what_ends_by_an_exception_has_not_happened(order: Order) -> None:
    with pytest.raises(LookupError):
        together(lambda: put(order, "lost"), fail)
    together(lambda: insert([event(order, "LATER", {}, at=NOON)]))
    assert reason(order) != "lost"


def test_a_savepoint_takes_back_its_own_writes_only(order: Order) -> None:
    with transaction.atomic(), gathered():
        put(order, "before")
        with pytest.raises(LookupError):
            together(lambda: put(order, "within"), fail)
    assert reason(order) == "before"


@pytest.mark.parametrize("beside", [0, 2])
def test_a_row_that_became_something_else_stops_all(order: Order, beside: int) -> None:
    part = order.slices.first()
    assert part
    Slice.objects.filter(pk=part.pk).update(status="SKIPPED")
    told = [event(order, "TOGETHER", {}, at=NOON) for _ in range(beside)]
    with pytest.raises(Overtaken):
        together(lambda: save(part, "reason", among=("PLANNED", "QUEUED")), lambda: insert(told))
    assert not OrderEvent.objects.filter(kind="TOGETHER").exists()


def test_a_condition_is_about_what_was_written_before_it(order: Order) -> None:
    part = order.slices.get(sequence=0)
    part.status = "SKIPPED"
    with pytest.raises(Overtaken):
        together(lambda: save(part, "status"), lambda: save(part, "reason", among=("PLANNED",)))


@pytest.mark.parametrize("beside", [0, 1])
def test_a_row_that_is_gone_is_an_error(order: Order, beside: int) -> None:
    gone = Order(pk=order.pk + 1_000, status=order.status)
    told = [event(order, "TOGETHER", {}, at=NOON) for _ in range(beside)]
    with pytest.raises(DatabaseError, match="is gone"):
        together(lambda: save(gone, "status"), lambda: insert(told))
    with pytest.raises(DatabaseError, match="is gone"):
        save(gone, "status")


def test_a_new_row_can_be_changed_before_it_has_left(order: Order) -> None:
    told = event(order, "NEW", {}, at=NOON)
    with transaction.atomic(), gathered():
        insert([told])
        told.kind = "CHANGED"
        save(told, "kind")
        put(order, "together")
    assert OrderEvent.objects.get(pk=told.pk).kind == "CHANGED"


def test_one_block_within_another_waits_for_the_outer_one(order: Order) -> None:
    connection.close()
    with transaction.atomic(), gathered():
        with gathered():
            put(order, "inner")
        insert([event(order, "OUTER", {}, at=NOON)])
    (text,) = kept()
    assert (text.count("UPDATE"), text.count("INSERT")) == (1, 1)
    assert reason(order) == "inner"
