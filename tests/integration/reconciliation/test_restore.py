"""A database that comes back older than what the broker has done: nothing is traded twice."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.core.management import call_command
from django.db import connection, connections
from psycopg import Connection, connect
from psycopg.sql import SQL, Identifier

from execution.models import Order
from tests.brokers.alpaca_rig import AlpacaRig, environment
from tests.stack import Stack, wait_for

pytestmark = pytest.mark.any_date

ACCOUNT = "restored"
PATIENCE = 60.0  # seconds


@pytest.fixture
def service(alpaca: AlpacaRig, empty_stack: Stack, own_database: str) -> Iterator[Stack]:
    empty_stack.environment.update(environment(alpaca.peer.url, ACCOUNT=ACCOUNT))
    alpaca.peer.tell("set", auto_fill=0.1)
    yield empty_stack
    empty_stack.kill_all()


@pytest.fixture
def own_database(empty_stack: Stack) -> Iterator[str]:
    """The name of a database of this test alone: the one that all tests share is never renamed."""
    shared = str(connection.settings_dict["NAME"])
    own = f"{shared}_restored"
    drop(own)
    with server() as beside:
        beside.execute(SQL("CREATE DATABASE {}").format(Identifier(own)))
    connection.settings_dict["NAME"] = own
    try:
        call_command("migrate", verbosity=0)
        yield own
    finally:
        connections.close_all()
        connection.settings_dict["NAME"] = shared
        drop(own)


@contextmanager
def server() -> Iterator[Connection[tuple[object, ...]]]:
    """A connection beside the database, which nobody else uses meanwhile."""
    options = {**connection.get_connection_params(), "dbname": "postgres"}
    known = ("host", "port", "user", "password", "dbname")
    connections.close_all()
    with connect(**{name: options[name] for name in known if name in options}) as beside:
        beside.autocommit = True
        yield beside


def back_up(name: str) -> None:
    with server() as beside:
        copy = SQL("CREATE DATABASE {} TEMPLATE {}")
        beside.execute(copy.format(Identifier(f"{name}_older"), Identifier(name)))


def restore(name: str) -> None:
    with server() as beside:
        rename = SQL("ALTER DATABASE {} RENAME TO {}")
        beside.execute(rename.format(Identifier(name), Identifier(f"{name}_lost")))
        beside.execute(rename.format(Identifier(f"{name}_older"), Identifier(name)))


def drop(name: str) -> None:
    """With what a run that was killed has left of it."""
    with server() as beside:
        for each in (name, f"{name}_older", f"{name}_lost"):
            gone = SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
            beside.execute(gone.format(Identifier(each)))


def run(service: Stack) -> None:
    service.team()


def held(alpaca: AlpacaRig) -> dict[str, int]:
    return dict(alpaca.broker.account_state("default", now=alpaca.now()).positions)


def wish(service: Stack) -> Order:
    """The strategy's order, and the same again when it heard no answer."""
    words = ["--algorithm", "TWAP", "--slices", "2", "--window-minutes", "0.5"]
    words += ["--reference", "wish-1", "--no-wait"]
    done = service.manage("order", "BUY", "480", "AAPL", *words)
    assert done.returncode == 0, done.stdout + done.stderr
    return Order.objects.get(client_reference="wish-1", account=ACCOUNT)


@pytest.mark.timeout(300)
def test_after_the_restore_of_an_older_database_nothing_is_traded_a_second_time(
    alpaca: AlpacaRig, service: Stack, own_database: str
) -> None:
    run(service)
    words = ["--algorithm", "TWAP", "--slices", "4", "--window-minutes", "1.5", "--no-wait"]
    assert service.manage("order", "BUY", "400", "MSFT", *words).returncode == 0
    wait_for(lambda: held(alpaca).get("MSFT"), PATIENCE, "the first order to trade")
    service.kill_all()
    back_up(own_database)

    run(service)
    wish(service)
    wait_for(lambda: held(alpaca).get("AAPL") == 480, PATIENCE, "the second order to trade")
    service.kill_all()
    restore(own_database)

    assert not Order.objects.filter(client_reference="wish-1").exists(), "it was forgotten"
    run(service)
    again = wish(service).slices.order_by("sequence")[0]

    def waits() -> bool:
        again.refresh_from_db()
        return again.reason.startswith("POSITION_BREAK: ours=0")

    wait_for(waits, PATIENCE, f"the repetition to wait, not {again.reason!r}")
    wait_for(lambda: held(alpaca).get("MSFT") == 400, 2 * PATIENCE, "the known order to end")
    assert held(alpaca) == {"AAPL": 480, "MSFT": 400}
