"""What COPY stores is what `bulk_create` stores, all of it or nothing."""

from dataclasses import dataclass
from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.forms.models import model_to_dict

from deepstack.database.bulk_copy import copy_in, number
from execution.domain.event_kinds import EventKind
from execution.models import Order, OrderEvent, Slice
from tests.integration.order_steps import new_order

pytestmark = pytest.mark.django_db(transaction=True)


@dataclass(frozen=True)
class Drafts:
    """Slices of one order that are not stored yet, numbered after those that are."""

    order: Order

    def one(self, sequence: int, **values: object) -> Slice:
        usual = {
            "order": self.order,
            "sequence": sequence,
            "due_at": self.order.start_at,
            "end_at": self.order.start_at + timedelta(minutes=1),
            "planned_quantity": 10,
            "cumulative_quantity": 10,
            "client_order_id": f'a\tb\\N"{sequence}\n',  # what COPY's own format is made of
            "explanation": {"why": ["a\tb", None, 1.5]},
        }
        return Slice(**{**usual, **values})


@pytest.fixture
def drafts() -> Drafts:
    return Drafts(new_order(parts=1))


def test_copied_rows_are_those_that_django_would_store(drafts: Drafts) -> None:
    copied, created = drafts.one(1), drafts.one(2)
    with transaction.atomic():
        number([copied])
        copy_in([copied])
    Slice.objects.bulk_create([created])
    one, other = (model_to_dict(Slice.objects.get(pk=row.pk)) for row in (copied, created))
    differ = {name for name in one if one[name] != other[name]}
    assert differ == {"id", "sequence", "client_order_id"}
    assert one["client_order_id"] == copied.client_order_id


def test_rows_know_their_ids_in_order_and_can_be_saved(drafts: Drafts) -> None:
    rows = [drafts.one(sequence) for sequence in range(1, 30)]
    with transaction.atomic():
        number(rows)
        copy_in(rows)
    assert [row.pk for row in rows] == sorted(row.pk for row in rows)
    rows[3].reason = "changed"
    rows[3].save()
    stored = dict(Slice.objects.filter(order=drafts.order).values_list("pk", "sequence"))
    assert all(stored[row.pk] == row.sequence for row in rows)
    assert len(stored) == 30


def test_one_impossible_row_stores_none_and_is_an_error_of_djangos(drafts: Drafts) -> None:
    rows = [drafts.one(1), drafts.one(2, planned_quantity=0)]
    number(rows)
    with pytest.raises(IntegrityError, match="slice_planned_positive"), transaction.atomic():
        copy_in(rows)
    assert Slice.objects.filter(order=drafts.order).count() == 1


def test_a_reserved_id_is_given_to_nobody_else(drafts: Drafts) -> None:
    copied = drafts.one(1)
    with transaction.atomic():
        number([copied])
        copy_in([copied])
    created = drafts.one(2)
    created.save()
    assert created.pk > copied.pk


def test_nothing_to_store_asks_nothing(django_assert_num_queries: object) -> None:
    with django_assert_num_queries(0):  # type: ignore[operator]  # pytest-django's fixture
        number([], [])
        copy_in([])


def test_rows_of_several_tables_get_ids_of_their_own_table(drafts: Drafts) -> None:
    slices = [drafts.one(sequence) for sequence in (1, 2, 3)]
    event = OrderEvent(order=drafts.order, kind=EventKind.ORDER_ACCEPTED, at=drafts.order.start_at)
    number([], slices, [event])
    for rows in (slices, [event]):
        copy_in(rows)
    next_slice, next_event = drafts.one(4), OrderEvent(order=drafts.order, at=event.at)
    next_slice.save()
    next_event.save()
    assert [*(each.pk for each in slices), next_slice.pk] == [
        next_slice.pk - back for back in (3, 2, 1, 0)
    ]
    assert event.pk == next_event.pk - 1
