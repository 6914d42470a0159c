"""How long each page of the back office takes on the server, over a long history.

`python -m benchmarks.pages [--orders 100000] [--slices 20]` starts PostgreSQL and Redis of its own,
stores so many orders (one in a hundred is open, a tenth is of today) with their slices, fills,
events, costs and alerts, asks for every list and an order's page, and prints a table. On a busy
machine the least of a page's times says most of the page, and the others of the machine.
"""

import argparse
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.load import stolen_since, twap
from deepstack import processes
from deepstack.local import embedded_servers

TIMES = 5
LIMIT_MS, LIMIT_QUERIES = 300.0, 12
HISTORY_DAYS = 10
BASKET = 500  # successive orders, of which every other is in one basket
QUERIES = ("", "?life=live", "?life=ended", "?life=all", "?q=S7", "?account=account-1&life=all")


@dataclass(frozen=True, slots=True)
class Taken:
    """A page: milliseconds of each request, the least that this process computed for one (without
    the database), and the queries of the last."""

    address: str
    milliseconds: Sequence[float]
    computed: float
    queries: int

    @property
    def fits(self) -> bool:
        return min(self.milliseconds) < LIMIT_MS and self.queries <= LIMIT_QUERIES


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--orders", type=int, default=100_000)
    words.add_argument("--slices", type=int, default=20, help="of each order")
    asked = words.parse_args()
    with tempfile.TemporaryDirectory(prefix="deepstack-pages-") as name:
        folder = Path(name)
        with embedded_servers.started(folder) as servers:
            print(_figures(servers, folder, asked.orders, asked.slices))


def _figures(servers: embedded_servers.Services, folder: Path, orders: int, slices: int) -> str:
    os.environ |= {
        "DATABASE_URL": servers.database_url,
        "REDIS_URL": servers.redis_url,
        "LOG_FILE": f"{folder}/deepstack.log",
        "LOG_LEVEL": "ERROR",
    }
    subprocess.run(processes.manage("migrate", "--verbosity", "0"), check=True)
    from django.db import connections

    from deepstack import django_setup

    django_setup.ensure()
    _allow_long_statements()
    fill(orders, slices)
    connections.close_all()
    stolen = stolen_since()
    taken = list(measured())
    host = f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {stolen():g} % stolen"
    return f"{orders:,} orders of {slices} slices, {host}\n{table(taken)}"


def _allow_long_statements() -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout TO 0")


def fill(orders: int, slices: int) -> None:
    """Copies of one order that was accepted by the service's own code, with a fill, three events
    and a cost analysis each; every hundredth is open. The alerts are a hundredth as many."""
    from django.db import connection

    from execution import context
    from execution.entry import acceptance

    signal = twap(slices=slices, minutes=600, quantity=slices * 100)
    order = acceptance.accept(signal, context.default())
    _add_parts(order)
    _copy_order(order, orders)
    _copy_parts(order)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def _add_parts(order: Any) -> None:
    """One of each that an order may have beside its slices and first event."""
    from django.utils import timezone

    from execution.models import Fill
    from monitoring.models import Alert, CostAnalysis

    now = timezone.now()
    Fill.objects.create(
        order=order,
        slice=order.slices.earliest("sequence"),
        broker="paper",
        account=order.account,
        execution_id="x",
        quantity=100,
        price=150,
        executed_at=now,
    )
    Alert.objects.create(
        kind="PAUSED",
        severity="WARNING",
        message="m",
        raised_at=now,
        raised_at_real=now,
        order=order,
    )
    CostAnalysis.objects.create(order=order, event_id=1, arrival_bps=1)


def _copy_order(order: Any, orders: int) -> None:
    age = f"interval '{HISTORY_DAYS} days' * g / {orders}"
    open_ = "g % 100 = 0"
    _copy(
        type(order),
        f"id = {order.pk}",
        f"generate_series(1, {orders}) g",
        status=f"CASE WHEN {open_} THEN 'WORKING' ELSE 'FILLED' END",
        client_reference="'copy-' || g",
        symbol="'S' || g % 500",
        account="'account-' || g % 5",
        strategy="'strategy-' || g % 20",
        basket=f"CASE WHEN g % 2 = 0 THEN 'basket-' || g / {BASKET} ELSE '' END",
        filled_quantity=f"CASE WHEN {open_} THEN 0 ELSE quantity END",
        filled_notional=f"CASE WHEN {open_} THEN 0 ELSE quantity * 150 END",
        finished_at=f"CASE WHEN {open_} THEN NULL ELSE created_at - {age} END",
        created_at=f"created_at - {age}",
        start_at=f"start_at - {age}",
        end_at=f"CASE WHEN {open_} THEN end_at ELSE end_at - {age} END",
    )


def _copy_parts(order: Any) -> None:
    """To each copy of the order."""
    from execution.models import Fill, OrderEvent, Slice
    from monitoring.models import Alert, CostAnalysis

    own = f"order_id = {order.pk}"
    copies = f"FROM execution_order WHERE id <> {order.pk}"
    others = f"(SELECT id AS parent, status AS now {copies}) o"
    _copy(
        Slice,
        own,
        others,
        order_id="parent",
        status="CASE WHEN now = 'FILLED' THEN 'FILLED' ELSE status END",
        filled_quantity="CASE WHEN now = 'FILLED' THEN planned_quantity ELSE 0 END",
        client_order_id="parent || '-' || sequence",
    )
    first = "(SELECT id AS part, order_id AS parent FROM execution_slice WHERE sequence = 0) s"
    _copy(Fill, own, first, order_id="parent", slice_id="part", execution_id="'x-' || part")
    event = order.events.earliest("pk")
    thrice = f"{others}, generate_series(1, 3) g"
    _copy(OrderEvent, f"id = {event.pk}", thrice, order_id="parent")
    _copy(CostAnalysis, own, others, order_id="parent")
    hundredth = f"{others} WHERE parent % 100 = 0"
    _copy(Alert, own, hundredth, order_id="parent", dedupe_key="'k-' || parent")


def _copy(model: Any, which: str, beside: str, **changes: str) -> None:
    """The row that `which` names once for each row of `beside`, with other values where given."""
    from django.db import connection

    table = model._meta.db_table
    names = [f.column for f in model._meta.concrete_fields if f.column != "id"]
    values = ", ".join(changes.get(name, f't."{name}"') for name in names)
    columns = ", ".join(f'"{name}"' for name in names)
    source = f"(SELECT * FROM {table} WHERE {which}) t, {beside}"  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {table} ({columns}) SELECT {values} FROM {source}")  # noqa: S608


def measured() -> Iterator[Taken]:
    from django.conf import settings
    from django.contrib.auth.models import User
    from django.test import Client

    settings.ALLOWED_HOSTS = ["localhost"]
    client = Client(SERVER_NAME="localhost")
    client.force_login(User.objects.create_superuser("measuring"))
    for address in addresses():
        yield _taken(client, address)


def addresses() -> Sequence[str]:
    from django.contrib import admin
    from django.urls import reverse

    from execution.models import Order

    orders = reverse("admin:execution_order_changelist")  # registers every model
    lists = [
        reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        for model in admin.site._registry
    ]
    order = Order.objects.filter(status="FILLED").exclude(basket="").latest("pk")
    return [
        "/admin/",
        "/admin/operations/live/",
        *(f"{orders}{query}" for query in QUERIES),
        reverse("baskets"),
        f"{reverse('basket')}?name={order.basket}",
        f"{orders}now/?orders={order.pk}",
        f"{orders}{order.pk}/change/",
        f"/admin/operations/order/{order.pk}/",
        f"{orders}{order.pk}/curve/",
        f"/admin/execution/slice/?order__id__exact={order.pk}",
        *(each for each in lists if each != orders),
    ]


def _taken(client: Any, address: str) -> Taken:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    client.get(address)
    took, computed = [], []
    for _ in range(TIMES):
        began, at = time.perf_counter(), time.process_time()
        with CaptureQueriesContext(connection) as seen:
            answer = client.get(address)
        took.append(1000 * (time.perf_counter() - began))
        computed.append(1000 * (time.process_time() - at))
        if answer.status_code != 200:
            raise SystemExit(f"{address} answers {answer.status_code}")
    return Taken(address, took, min(computed), len(seen))


def table(taken: Sequence[Taken]) -> str:
    head = "| Page | least ms | median ms | least computed ms | queries | |"
    return "\n".join([head, "|---|---|---|---|---|---|", *map(_row, taken)])


def _row(each: Taken) -> str:
    cells = [
        each.address,
        f"{min(each.milliseconds):,.0f}",
        f"{statistics.median(each.milliseconds):,.0f}",
        f"{each.computed:,.0f}",
        str(each.queries),
        "" if each.fits else "TOO MUCH",
    ]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
