"""PostgreSQL plans the statements of a slice's path once, whatever the numbers in them."""

import json
from typing import Any
from uuid import uuid4

import pytest
from django.db import DatabaseError, connection
from django.db.backends.signals import connection_created
from django.test.utils import CaptureQueriesContext
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from deepstack.database import prepared_query
from deepstack.database.prepared_query import Param, Prepared, execute
from execution.models import Order, Slice
from tests.integration.order_steps import new_order
from tests.telemetry_receiver import receiving, run_script

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.any_date]


@pytest.fixture(autouse=True)
def fresh_connection() -> None:
    connection.close()


def kept(fragment: str) -> int:
    """How many prepared statements of this connection have the fragment in them."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_prepared_statements"
            " WHERE statement LIKE %s AND statement NOT LIKE '%%pg_prepared_statements%%'",
            [f"%{fragment}%"],
        )
        row: tuple[int] = cursor.fetchone()
        return row[0]


def test_numbers_of_all_sizes_share_a_plan() -> None:
    mark = f"shares-{uuid4()}"
    for number in (7, 70_000, 7_000_000_000):
        row = execute(f"SELECT '{mark}', %s + 1", [number]).fetchone()
        assert row is not None
        assert row[1] == number + 1
    assert kept(mark) == 1


def test_a_warm_connection_has_prepared_what_every_slice_needs() -> None:
    Prepared[Order](lambda: Order.objects.select_for_update().filter(pk=Param("order", 0)))
    prepared_query.warm()
    once = '"created_at_real" FROM "execution_order" WHERE "execution_order"."id" = ($%) FOR UPDATE'
    assert kept(once) == 1


@pytest.mark.parametrize("table", ["order", "slice", "fill", "orderevent"])
def test_an_empty_table_is_planned_for_as_if_it_were_full(table: str) -> None:
    prepared_query.warm()
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement FROM pg_prepared_statements")
        texts = [text for (text,) in cursor.fetchall() if f'"execution_{table}"' in text]
        for text in texts:
            cursor.execute("EXPLAIN (GENERIC_PLAN) " + text)
            plan = "\n".join(line for (line,) in cursor.fetchall())
            assert f"Seq Scan on execution_{table} " not in plan, plan
    assert texts


def test_what_is_given_stands_where_it_was_left_open() -> None:
    order = new_order(parts=3)
    parts = Prepared[Slice](
        lambda: Slice.objects.select_related("order").filter(
            order=Param("order", 0), sequence__lte=Param("last", 0)
        )
    )
    found = parts.all(order=order.pk, last=1)
    assert sorted(part.sequence for part in found) == [0, 1]
    assert {part.order for part in found} == {order}
    assert parts.first(order=order.pk, last=-1) is None


def test_who_watches_queries_sees_prepared_ones_too() -> None:
    """As query counters and tracers hook in: Django's execute wrappers and its log of queries."""
    seen: list[tuple[str, list[int]]] = []

    def watch(execute: Any, text: str, params: Any, many: bool, context: Any) -> Any:
        seen.append((text, [int(each) for each in params]))
        return execute(text, params, many, context)

    with CaptureQueriesContext(connection) as captured, connection.execute_wrapper(watch):
        row = execute("SELECT %s + 1", [41]).fetchone()
    assert row == (42,)
    assert seen == [("SELECT %s + 1", [41])]
    assert [query["sql"] for query in captured.captured_queries] == ["SELECT %s + 1"]


def test_who_watches_may_add_a_comment_or_see_the_error() -> None:
    errors: list[str] = []

    def watch(execute: Any, text: str, params: Any, many: bool, context: Any) -> Any:
        try:
            return execute(f"{text} /* order 7 */", params, many, context)
        except DatabaseError as error:
            errors.append(type(error).__name__)
            raise

    with connection.execute_wrapper(watch):
        assert execute("SELECT %s + 2", [1]).fetchone() == (3,)
        with pytest.raises(DatabaseError):
            execute("SELECT %s / 0", [1])
    assert kept("+ 2 /* order 7 */") == 1
    assert errors == ["DataError"]


def test_a_wrapper_that_opens_spans_sees_prepared_statements() -> None:
    spans = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(spans))
    tracer = provider.get_tracer("statements")

    def in_a_span(execute: Any, text: str, params: Any, many: bool, context: Any) -> Any:
        with tracer.start_as_current_span(text):
            return execute(text, params, many, context)

    def install(connection: Any, **_: Any) -> None:
        connection.execute_wrappers.append(in_a_span)

    connection_created.connect(install)
    try:
        assert execute("SELECT %s + 3", [4]).fetchone() == (7,)
    finally:
        connection_created.disconnect(install)
        connection.execute_wrappers.clear()
    assert "SELECT %s + 3" in [span.name for span in spans.get_finished_spans()]


def test_sentrys_django_integration_sees_prepared_statements_without_values() -> None:
    script = """
import os
import sentry_sdk
from sentry_sdk.integrations.django import DjangoIntegration
sentry_sdk.init(dsn=os.environ["ITS_DSN"], default_integrations=False,
                integrations=[DjangoIntegration()])
import django
django.setup()
from deepstack.database.prepared_query import execute
execute("SELECT %s + 5", [370370])
sentry_sdk.capture_message("after a statement")
sentry_sdk.flush()
"""
    with receiving() as received:
        run_script(script, ITS_DSN=received.dsn)
    [report] = received.reports
    crumbs = report["breadcrumbs"]["values"]
    assert "SELECT %s + 5" in [each["message"] for each in crumbs]
    assert "370370" not in json.dumps(report)
