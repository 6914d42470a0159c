"""`deepstack rehearse` as it is typed."""

import json
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from structlog.testing import capture_logs

from deepstack.database.advisory_locks import REHEARSING
from execution import heartbeat
from execution.models import Heartbeat, Order
from tests.integration.monitoring.on_duty import nothing_is_left, on_own_order
from tests.stack import wait_for

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("at_noon"),
    pytest.mark.any_date,
]


def rehearse(*words: str) -> tuple[int, str]:
    """Its exit code and what it wrote."""
    out = StringIO()
    try:
        call_command("rehearse", *words, "--by", "ann", stdout=out, stderr=StringIO())
    except SystemExit as end:
        return int(end.code or 0), out.getvalue()
    return 0, out.getvalue()


def test_the_command_waits_for_a_person_and_answers_in_json() -> None:
    heartbeat.beat(Heartbeat.Kind.WORKER)

    def person() -> None:
        wait_for(lambda: Order.objects.filter(status="PAUSED").exists(), 10, "the paused order")
        on_own_order("resume")()
        connection.close()

    with ThreadPoolExecutor(1) as pool:
        acted = pool.submit(person)
        code, text = rehearse("--scene", "paused-order", "--json")
        acted.result()
    told = json.loads(text)
    assert (code, told["person"], told["passed"]) == (0, "ann", True)
    (scene,) = told["scenes"]
    assert scene.pop("seconds") >= 0
    assert scene == {"scene": "paused-order", "outcome": "passed", "words": "resumed by ann."}


@pytest.mark.parametrize("ends", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_command_cleans_up_when_it_is_told_to_end(ends: signal.Signals) -> None:
    heartbeat.beat(Heartbeat.Kind.WORKER)
    handlers = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGHUP)

    def end() -> None:
        wait_for(lambda: Order.objects.filter(status="PAUSED").exists(), 10, "the paused order")
        connection.close()
        os.kill(os.getpid(), ends)

    with ThreadPoolExecutor(1) as pool:
        ended = pool.submit(end)
        with pytest.raises(CommandError, match="interrupted; what was set up") as told:
            rehearse("--scene", "paused-order")
        ended.result()
    assert told.value.returncode == 130
    assert nothing_is_left()
    assert handlers == (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGHUP))


def test_the_command_fails_unless_every_scene_was_passed() -> None:
    heartbeat.beat(Heartbeat.Kind.WORKER)
    with capture_logs() as lines:
        code, text = rehearse(
            "--scene", "runaway", "--scene", "paused-order", "--give-up-after", "0"
        )
    assert code == 1
    assert text.splitlines()[-2:] == [
        "runaway          not passed              0",
        "paused-order     not passed              0",
    ]
    record = [line for line in lines if line["event"] == "rehearsed"]
    assert [(line["scene"], line["person"], line["outcome"]) for line in record] == [
        ("runaway", "ann", "not passed"),
        ("paused-order", "ann", "not passed"),
    ]


def test_the_command_says_what_it_needs() -> None:
    with pytest.raises(CommandError, match="no live worker: start the stack with `make up`"):
        rehearse()
    assert rehearse("--list")[1].splitlines()[0].startswith("runaway          a strategy sends")
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [REHEARSING])
        with pytest.raises(CommandError, match="somebody else rehearses now"):
            rehearse()
    other.close()
