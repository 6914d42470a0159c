"""A session of PostgreSQL that cannot go on is replaced by itself, whoever uses it."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

import pytest
from asgiref.sync import sync_to_async
from django.db import Error, close_old_connections, connection, transaction

from deepstack.database import prepared_query
from deepstack.database.prepared_query import execute
from execution import context as contexts
from execution.entry.submission import NoLiveWorker
from execution.entry.submission import execute as execute_order
from execution.models import Heartbeat, Order
from execution.orders.locks import locked
from tests.faults import in_own_session, read_only_database
from tests.integration.order_steps import new_order
from tests.stack import Stack, wait_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.any_date]


def pid() -> int:
    row = execute("SELECT pg_backend_pid()").fetchone()
    assert row is not None
    return int(row[0])


def read_only() -> None:
    """As a session that began while `ALTER DATABASE ... SET default_transaction_read_only` held."""
    execute("SET default_transaction_read_only = on")


def terminated() -> None:
    in_own_session(f"SELECT pg_terminate_backend({pid()})")


def statements_forgotten() -> None:
    prepared_query.warm()
    execute("DO $$ BEGIN EXECUTE 'DEALLOCATE ALL'; END $$")


def write() -> None:
    Heartbeat.objects.update_or_create(kind="WORKER", process="x", defaults={"seen_at_real": NOW})


def write_in_transaction() -> None:
    with transaction.atomic():
        write()


def write_prepared() -> None:
    order = Order.objects.latest("pk")
    with locked(order.pk):
        pass
    execute("UPDATE execution_order SET status_reason = '' WHERE id = %s", [order.pk])


NOW = "2026-03-02T16:00Z"


@pytest.mark.parametrize("fault", [read_only, terminated])
@pytest.mark.parametrize("work", [write, write_in_transaction, write_prepared])
def test_the_next_try_is_made_on_a_new_session(
    fault: Callable[[], None], work: Callable[[], None]
) -> None:
    new_order()
    work()
    before = pid()
    fault()
    with pytest.raises(Error):
        work()
    work()
    assert pid() != before


def test_a_script_that_slept_while_its_session_ended_goes_on() -> None:
    """Its calls have a thread, and so a session, that outlives each event loop."""
    before = asyncio.run(sync_to_async(pid)())
    in_own_session(f"SELECT pg_terminate_backend({before})")
    with pytest.raises(NoLiveWorker):
        asyncio.run(execute_order({}, contexts.default(), wait=False))
    assert asyncio.run(sync_to_async(pid)()) != before


def test_a_forgotten_prepared_statement_fails_once() -> None:
    new_order()
    write_prepared()
    statements_forgotten()
    with pytest.raises(Error):
        write_prepared()
    write_prepared()


def test_a_prepared_statement_of_a_migrated_table_fails_once() -> None:
    text = "SELECT * FROM migrated"
    in_own_session("CREATE TABLE migrated (a int)")
    try:
        assert execute(text).fetchall() == []
        in_own_session("ALTER TABLE migrated ADD COLUMN b int")
        with pytest.raises(Error, match="cached plan"):
            execute(text)
        assert execute(text).fetchall() == []
    finally:
        in_own_session("DROP TABLE migrated")


def test_a_request_begins_with_a_session_that_can_write() -> None:
    before = pid()
    read_only()
    close_old_connections()
    write()
    assert pid() != before


def test_an_ordinary_error_keeps_the_session_and_its_locks() -> None:
    before = pid()
    with suppress(Error), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT 1/0")
    assert pid() == before


def test_workers_send_again_after_the_database_was_read_only(empty_stack: Stack) -> None:
    worker, _ = empty_stack.team()
    first = new_order(100, 1, window_minutes=0.05)
    wait_for(lambda: Order.objects.get(pk=first.pk).filled_quantity, 20, "the first order")

    with read_only_database():
        wait_for(lambda: "it is read-only" in worker.output(), 20, "the worker to say so")
    second = new_order(100, 1, window_minutes=0.05)
    wait_for(lambda: Order.objects.get(pk=second.pk).filled_quantity, 20, "the second order")
