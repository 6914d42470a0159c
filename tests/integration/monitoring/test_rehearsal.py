"""Each scene of the rehearsal passes by what a person does, and by nothing else."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from deepstack.config import Config, current
from execution import context as contexts
from execution.domain.exchange_time import exchange_time
from execution.entry import acceptance
from execution.market import market_data, trading_halts
from execution.models import (
    MarketHalt,
    Order,
    TradingState,
)
from monitoring.rehearsal import conditions
from monitoring.rehearsal.play import COLUMNS, Outcome, Rehearsal, Result, Timing
from monitoring.rehearsal.registry import SCENES
from monitoring.rehearsal.scene import ACCOUNT, CannotPlay, Practice
from tests.integration.monitoring.on_duty import Act, command, nothing_is_left, on_own_order, own
from tests.integration.monitoring.rows import store_tape

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("at_noon"),
    pytest.mark.any_date,
]

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
