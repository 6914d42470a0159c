"""A database that comes back older than what the broker has done: nothing is traded twice."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connection, connections
from psycopg import Connection, connect
from psycopg.sql import SQL, Identifier

from execution.models import Order, TradingState
from tests.brokers.alpaca_rig import AlpacaRig, environment
from tests.second_factor import token_of
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


def drop(name: str) -> None:
    """With what a run that was killed has left of it, and what a restore has kept."""
    with server() as beside:
        found = beside.execute(
            "SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [name]
        )
        for (each,) in found.fetchall():
            gone = SQL("DROP DATABASE {} WITH (FORCE)")
            beside.execute(gone.format(Identifier(str(each))))


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


def managed(service: Stack, *words: str, code: int = 0) -> str:
    done = service.manage(*words)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.timeout(300)
def test_after_a_restore_nothing_leaves_until_a_person_has_compared_and_nothing_is_traded_twice(
    alpaca: AlpacaRig, service: Stack, own_database: str, tmp_path: Path
) -> None:
    service.environment |= {
        "BACKUP_KEY": "a pass phrase of some length",
        "DEEPSTACK_TOKEN": token_of("eve", "Risk", "Trader"),
    }
    run(service)
    words = ["--algorithm", "TWAP", "--slices", "100", "--window-minutes", "10", "--no-wait"]
    managed(service, "order", "BUY", "400", "MSFT", *words)
    wait_for(lambda: held(alpaca).get("MSFT"), PATIENCE, "the first order to trade")
    made = json.loads(managed(service, "backup", "--to", str(tmp_path), "--json"))
    backup = tmp_path / made["file"]

    wish(service)
    wait_for(lambda: held(alpaca).get("AAPL") == 480, PATIENCE, "the second order to trade")
    refused = managed(service, "restore", str(backup), code=1)
    assert "sessions are connected" in refused, refused
    service.kill_all()
    connections.close_all()
    managed(service, "restore", str(backup))

    assert not Order.objects.filter(client_reference="wish-1").exists(), "it was forgotten"
    had = held(alpaca)
    run(service)
    assert TradingState.objects.get(scope="SYSTEM").state == "HALTED"
    refused = managed(service, "resume_trading", "--reason", "in a hurry", code=2)
    assert "manage.py recovery --release" in refused
    told = managed(service, "recovery", code=1)
    assert "restored from the backup of" in told
    assert "AAPL: the broker has 480 shares, our fills make 0: +480" in told
    assert "sent under ids of ours that are not in this database" in told
    assert held(alpaca) == had, "something left in recovery mode"

    managed(service, "recovery", "--release", "--by", "eve", "--reason", "compared")
    again = wish(service).slices.order_by("sequence")[0]

    def waits() -> bool:
        again.refresh_from_db()
        return again.reason.startswith("POSITION_BREAK: ours=0")

    wait_for(waits, PATIENCE, f"the repetition to wait, not {again.reason!r}")
    wait_for(lambda: held(alpaca)["MSFT"] > had["MSFT"], PATIENCE, "the known order to go on")
    known = Order.objects.get(symbol="MSFT")
    managed(service, "cancel", str(known.pk))

    def ended() -> bool:
        known.refresh_from_db()
        return known.status == "CANCELLED"

    wait_for(ended, PATIENCE, "the known order to end")
    assert held(alpaca) == {"AAPL": 480, "MSFT": known.filled_quantity}
    assert managed(service, "recovery") == "no recovery mode\n"
    assert "agrees" in managed(service, "verify")
