"""Each scene of the rehearsal passes by what a person does, and by nothing else."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from structlog.testing import capture_logs

from deepstack.config import Config, current
from deepstack.database.advisory_locks import REHEARSING
from execution import context as contexts
from execution import heartbeat
from execution.domain.exchange_time import exchange_time
from execution.entry import acceptance
from execution.market import market_data, trading_halts
from execution.models import (
    BrokerAccount,
    BrokerDifference,
    Heartbeat,
    MarketHalt,
    Order,
    PaperOrder,
    TradingState,
)
from monitoring.rehearsal import conditions
from monitoring.rehearsal.play import COLUMNS, Outcome, Rehearsal, Result, Timing
from monitoring.rehearsal.registry import SCENES
from monitoring.rehearsal.scene import ACCOUNT, CannotPlay, Practice
from tests.integration.monitoring.rows import store_tape
from tests.stack import wait_for

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("at_noon"),
    pytest.mark.any_date,
]

Act = Callable[[], object]
LAST = 9 * 60


class Person:
    """Acts at moments of a clock that runs only while the rehearsal waits."""

    def __init__(self, **acts: Act) -> None:
        """By the second, as `at_5`."""
        self.seconds = 0.0
        self.said: list[str] = []
        self._acts = {int(name.removeprefix("at_")): act for name, act in acts.items()}

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds
        for due in [each for each in self._acts if each <= self.seconds]:
            self._acts.pop(due)()

    @property
    def text(self) -> str:
        return " ".join("\n".join(self.said).split())

    def plays(self, *names: str, hint_after: float = 120, give_up_after: float = LAST) -> Rehearsal:
        at = contexts.default()
        timing = Timing(hint_after, give_up_after, lambda: self.seconds, self.sleep)
        practice = Practice(at, conditions.own_symbol(at))
        rehearsal = Rehearsal(practice, timing, person="ann", say=self.said.append)
        rehearsal.run([SCENES[name] for name in names])
        return rehearsal

    def played(self, name: str, **times: float) -> Result:
        (result,) = self.plays(name, **times).results
        return result


def command(*words: str) -> Act:
    return lambda: call_command(*words, "--by", "ann", stdout=StringIO(), stderr=StringIO())


def on_own_order(name: str, *words: str) -> Act:
    """A command about the order that the scene has made."""
    return lambda: command(name, str(own().pk), "--reason", "as runbook", *words)()


def own() -> Order:
    return Order.objects.filter(account=ACCOUNT).latest("pk")


def halt(*scope: str) -> Act:
    return command("halt", *scope, "--reason", "it runs away")


def resume(*scope: str) -> Act:
    return command("resume_trading", *scope, "--reason", "cause found")


def reconcile() -> None:
    with pytest.raises(SystemExit):  # something differs
        command("reconcile", ACCOUNT)()


STRATEGY = ("--strategy", "rehearsal")


def order_of(account: str = ACCOUNT, **terms: object) -> Act:
    signal = {"symbol": "REHEARSE", "side": "BUY", "quantity": 100, "account": account}
    return lambda: acceptance.accept(signal | terms, contexts.default())


def end_halt(late_minutes: int = 0) -> Act:
    """On the page in the back office, by what the scene has told."""

    def enter() -> None:
        User.objects.create_superuser("ann")
        office, row = Client(), MarketHalt.objects.get()
        office.force_login(User.objects.get())
        start, end = row.start_at, row.start_at + timedelta(minutes=10 + late_minutes)
        moments = {
            f"{name}_{part}": text
            for name, at in (("start_at", start), ("end_at", end))
            for part, text in enumerate(exchange_time(at).split()[:2])
        }
        typed = {"symbol": row.symbol, "reason": row.reason, **moments}
        page = office.post(f"/admin/execution/markethalt/{row.pk}/change/", typed)
        assert page.status_code == 302

    return enter


def nothing_is_left() -> bool:
    assert not Order.objects.filter(account=ACCOUNT, status__in=["ACCEPTED", "PAUSED"]).exists()
    assert not TradingState.objects.filter(key=ACCOUNT).exclude(state="ACTIVE").exists()
    assert not MarketHalt.objects.exists()
    assert not PaperOrder.objects.filter(client_order_id__startswith="rehearsal").exists()
    assert not BrokerDifference.objects.filter(gone_at_real__isnull=True).exists()
    assert not BrokerAccount.objects.filter(account=ACCOUNT).exists()
    return True


RIGHT: dict[str, dict[str, Act]] = {
    "runaway": {"at_5": halt(*STRATEGY), "at_9": resume(*STRATEGY)},
    "behind-schedule": {"at_9": on_own_order("amend", "--limit", "245")},
    "mistyped-price": {"at_9": order_of()},
    "exchange-halt": {"at_9": end_halt()},
    "position-break": {
        "at_5": reconcile,
        "at_9": command(
            "accept_break", "REHEARSE", "--account", ACCOUNT, "--reason", "corporate action"
        ),
    },
    "paused-order": {"at_9": on_own_order("resume")},
}
# What is said of the first of two steps, which does not pass by itself.
STEPS = {
    "runaway": "It is stopped by ann with a halt of strategy rehearsal.",
    "position-break": "Nobody has accepted it yet.",
}


@pytest.mark.parametrize("name", SCENES)
def test_a_scene_passes_by_what_is_right(name: str) -> None:
    person = Person(**RIGHT[name])
    result = person.played(name)
    assert (result.outcome, result.seconds) == (Outcome.PASSED, 9.0), person.said
    assert nothing_is_left()
    assert f"Passed after 9 s: {result.words}" in person.text
    assert all(len(line) <= COLUMNS for told in person.said for line in told.splitlines())
    assert f"Look: docs/runbook.md, {SCENES[name].section}." in person.text
    assert STEPS.get(name, "") in person.text


@pytest.fixture(autouse=True)
def halts_read_anew() -> Iterator[None]:
    """No test waits for the second that a process holds what it has read of halts."""
    yield
    for each in (trading_halts.stored, market_data, contexts.default):
        each.cache_clear()


@pytest.fixture
def untouched() -> Iterator[None]:
    """What is not the rehearsal's own stays as it is."""
    order_of("main", strategy="trend", algorithm="TWAP", symbol="AAPL")()
    order_of("rehearsal-2", strategy="rehearsal-2", algorithm="TWAP", symbol="MSFT")()
    halt("--symbol", "AAPL")()
    theirs = Order.objects.exclude(account=ACCOUNT).order_by("pk")
    before = list(theirs.values_list("pk", "version", "status"))
    assert len(before) == 2
    yield
    assert list(theirs.values_list("pk", "version", "status")) == before
    assert TradingState.objects.get(key="AAPL").state == "HALTED"


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("name", SCENES)
def test_where_nobody_acts_the_rehearsal_shows_the_solution_and_does_it(name: str) -> None:
    person = Person()
    result = person.played(name, hint_after=3, give_up_after=6)
    assert (result.outcome, result.words) == ("not passed", "the rehearsal has done it itself.")
    before, _, after = person.text.partition("The time is over. This would have been right: ")
    _, _, hint = before.partition("Hint, from ")
    assert hint.partition("runbook.md: ")[2].strip() == after.partition(" Not passed")[0]
    assert "deepstack " in after or "In the back office, " in after
    assert nothing_is_left()


@pytest.mark.parametrize("name", SCENES)
def test_after_ctrl_c_nothing_is_left(name: str) -> None:
    def leave() -> None:
        raise KeyboardInterrupt

    person = Person(at_5=leave)
    with pytest.raises(KeyboardInterrupt):
        person.plays(name)
    assert nothing_is_left()


WRONG: dict[str, tuple[str, dict[str, Act], str]] = {
    "only the symbol is halted": (
        "runaway",
        {"at_3": halt("--symbol", "REHEARSE"), "at_6": resume("--symbol", "REHEARSE")},
        "REHEARSE is halted, but the strategy still sends",
    ),
    "halted and never resumed": (
        "runaway",
        {"at_3": halt("--account", ACCOUNT)},
        "trading may go on, but account rehearsal is still halted",
    ),
    "a limit that still does not reach the market": (
        "behind-schedule",
        {"at_3": on_own_order("amend", "--limit", "2")},
        "Amended by ann: the new limit of 2.000000 is still below the ask of",
    ),
    "paused instead": ("behind-schedule", {"at_3": on_own_order("pause")}, ""),
    "mistyped again": ("mistyped-price", {"at_3": order_of(decision_price="1")}, "was denied"),
    "in another account": ("mistyped-price", {"at_3": order_of("main")}, "in account main is not"),
    "with another quantity": ("mistyped-price", {"at_3": order_of(quantity=10)}, "is not the one"),
    "another end than the exchange's": ("exchange-halt", {"at_3": end_halt(5)}, "was entered as"),
    "the record of the halt is deleted": (
        "exchange-halt",
        {"at_3": lambda: MarketHalt.objects.all().delete()},
        "the halt was deleted",
    ),
    "accepted without a reason": (
        "position-break",
        {"at_3": command("reconcile", ACCOUNT, "--accept")},
        "ann accepted it without a reason",
    ),
    "amended, and still paused": (
        "paused-order",
        {"at_3": on_own_order("amend", "--limit", "9")},
        "",
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_not_right_does_not_pass(wrong: str) -> None:
    name, acts, said = WRONG[wrong]
    person = Person(**acts)
    assert person.played(name, hint_after=10, give_up_after=20).outcome == "not passed"
    assert said in person.text
    assert nothing_is_left()


def test_cancelling_is_right_where_the_shares_are_not_wanted() -> None:
    for name in ("behind-schedule", "paused-order"):
        person = Person(at_9=on_own_order("cancel"))
        assert person.played(name).outcome == "passed"
        assert "cancelled by ann" in person.text


def test_a_hint_names_the_command_and_is_on_record() -> None:
    person = Person(at_9=on_own_order("resume"))
    assert person.played("paused-order", hint_after=5).outcome == "passed with hint"
    assert "Hint, from PAUSED in docs/runbook.md:" in person.text
    assert f"deepstack resume {own().pk} --reason" in person.text


def test_a_halt_of_everything_is_left_to_the_person_who_set_it() -> None:
    person = Person(at_3=halt(), at_30=resume(), at_39=on_own_order("resume"))
    rehearsal = person.plays("runaway", "paused-order", give_up_after=20)
    assert [each.outcome for each in rehearsal.results] == ["not passed", "passed"]
    assert "You still have to lift the halt of system." in person.text
    assert "The rehearsal waits. SYSTEM HALTED by ann: it runs away." in person.text
    with pytest.raises(CannotPlay, match="SYSTEM HALTED by ann"):
        Person(at_3=halt()).plays("runaway", "paused-order", give_up_after=20)
    assert TradingState.objects.get(scope="SYSTEM").state == "HALTED"


def test_a_symbol_that_somebody_trades_is_not_used() -> None:
    order_of("main", algorithm="TWAP")()
    with pytest.raises(CannotPlay, match="in which nobody has a live order"):
        conditions.own_symbol(contexts.default())


def test_on_replayed_bars_it_takes_a_symbol_that_nobody_trades() -> None:
    for symbol in ("AAPL", "MSFT"):
        market = store_tape("150", symbol=symbol, minutes=3)
    order_of("main", symbol="AAPL", algorithm="TWAP")()
    replayed = configured({"market": {"source": "replay"}})
    at = replace(contexts.default(), config=replayed, market=market)
    assert conditions.own_symbol(at) == "MSFT"


@pytest.mark.parametrize(
    ("changes", "scenes", "refusal"),
    [
        ({"trading_mode": "live"}, ["runaway"], "on paper only"),
        ({"account": ACCOUNT}, ["runaway"], "the configured account is 'rehearsal'"),
        ({"market": {"source": "alpaca"}}, ["paused-order", "exchange-halt"], "exchange-halt need"),
    ],
)
def test_where_it_is_refused(changes: dict[str, Any], scenes: list[str], refusal: str) -> None:
    at = replace(contexts.default(), config=configured(changes))
    with pytest.raises(CannotPlay, match=refusal):
        conditions.refuse_elsewhere(at, [SCENES[name] for name in scenes])


def test_a_made_up_halt_ends_at_once_where_somebody_else_begins_to_trade() -> None:
    person = Person(at_3=order_of("main", algorithm="TWAP"))
    with pytest.raises(CannotPlay, match="somebody else trades REHEARSE now"):
        person.plays("exchange-halt")
    assert nothing_is_left()


def configured(changes: dict[str, Any]) -> Config:
    if source := changes.get("market"):
        changes = {"market": current().market.model_copy(update=source)}
    return current().model_copy(update=changes)


def test_scenes_without_prices_play_on_any_market() -> None:
    at = replace(contexts.default(), config=configured({"market": {"source": "alpaca"}}))
    conditions.refuse_elsewhere(at, [SCENES["runaway"], SCENES["paused-order"]])


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
