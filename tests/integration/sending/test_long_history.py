"""What an order and its slices read does not grow with what was traded before."""

from collections import Counter
from collections.abc import Callable

import pytest
from django.db import connection

from benchmarks.old_orders import copy_whole
from execution import context as contexts
from execution.domain.lifecycle import SliceStatus
from execution.models import Fill, Order, OrderEvent, Slice
from execution.risk import limits
from tests.integration.order_steps import execution, new_order, receive, report, send
from tests.integration.sending.claims import due_in, intended

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.any_date]

OLD_ORDERS = 2_000
# Each is asked for before a slice leaves, and none is reached.
LIMITS = {
    "max_position": 10**9,
    "max_daily_loss": 10**9,
    "max_order_quantity": 10**6,
    "max_order_notional": 10**9,
    "max_messages_per_minute": 10**6,
}
# What was sent by this test itself within the last minute is read, too.
OWN = 50
_READ = """
SELECT t.relname, t.seq_tup_read + coalesce(sum(i.idx_tup_read), 0)
FROM pg_stat_user_tables t LEFT JOIN pg_stat_user_indexes i USING (relid)
GROUP BY t.relid, t.relname, t.seq_tup_read
"""


def rows_read() -> Counter[str]:
    """By every session so far, of each table: scanned, and found in its indexes."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute(_READ)
        return Counter({table: int(rows) for table, rows in cursor.fetchall()})


def read_by(work: Callable[[], object]) -> Counter[str]:
    before = rows_read()
    work()
    return rows_read() - before


def worked() -> Order:
    """An order of one slice that is due now: accepted and sent."""
    part = due_in(0)
    send(part.pk, contexts.default())
    assert Slice.objects.get(pk=part.pk).sent_at
    return Order.objects.get(pk=part.order_id)


def filled() -> Order:
    order = new_order(1_000, 1)
    intent = intended(order)
    receive(intent, report(intent, SliceStatus.FILLED, [execution(intent, "1", 1_000)]))
    order.refresh_from_db()
    assert order.status == "FILLED"
    return order


def test_accepting_and_sending_read_as_much_after_years_as_on_the_first_day() -> None:
    for field, value in LIMITS.items():
        limits.set_limit(scope="ACCOUNT", key="default", field=field, value=value, by="ann")
    first = filled()
    worked()
    on_the_first_day = read_by(worked)

    copy_whole(first, OLD_ORDERS)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    assert all(model.objects.count() > OLD_ORDERS for model in (Order, Slice, Fill, OrderEvent))
    worked()  # plans anew
    after_years = read_by(worked)

    assert on_the_first_day["execution_slice"] > 0
    grown = after_years - on_the_first_day
    assert grown.total() <= OWN, grown.most_common(5)
