"""The command line: in this process where nobody has to work, else with the running stack."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command
from django.utils import timezone

from deepstack import processes
from deepstack.config import ROOT
from deepstack.pipes import GONE
from execution import context, heartbeat
from execution.domain.exchange_time import exchange_time
from execution.domain.lifecycle import ORDER_TERMINAL
from execution.entry import acceptance
from execution.management.commands.order import OPTIONS
from execution.market.calendar import ExchangeCalendar
from execution.models import (
    Bar,
    Heartbeat,
    MarketClock,
    Order,
    OrderEvent,
    PaperOrder,
    Slice,
    TradingState,
    TradingStateChange,
)
from tests.bad_signals import BAD_SIGNALS, GOOD
from tests.stack import Stack, wait_for

BARS = Path(os.environ.get("DEEPSTACK_DATA", ROOT.parent / "shared" / "data"))
SIGNAL = {
    "symbol": "AAPL",
    "side": "BUY",
    "quantity": 100,
    "decision_price": 150,
    "algorithm": "TWAP",
    "window_minutes": 60,
    "slices": 10,
}
NO_DECISION_PRICE = {"decision_price": None}  # for a name that is quoted elsewhere


def words(signal: dict[str, Any]) -> list[str]:
    rest = dict(signal)
    said = [str(rest.pop(name)) for name in ("side", "quantity", "symbol")]
    return said + [word for name, value in rest.items() for word in (OPTIONS[name], str(value))]


def run(*command: object) -> str:
    out = StringIO()
    call_command(*map(str, command), stdout=out)
    return out.getvalue()


def refused(*command: object) -> CommandError:
    with pytest.raises(CommandError) as refusal:
        run(*command)
    return refusal.value


def accept(**changes: Any) -> Order:
    return acceptance.accept(SIGNAL | changes, context.default())


@pytest.fixture
def worker(db: None) -> None:
    heartbeat.beat(Heartbeat.Kind.WORKER)


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize(
    ("changes", "field"),
    [pytest.param(changes, field, id=word) for word, changes, field in BAD_SIGNALS],
)
def test_bad_input_names_the_field_and_stores_nothing(changes: dict[str, Any], field: str) -> None:
    refusal = refused("order", *words(GOOD | changes))
    assert refusal.returncode == 2
    assert f"  {OPTIONS.get(field, field)}: " in str(refusal)
    assert not any(model.objects.exists() for model in (Order, Slice, OrderEvent))


@pytest.mark.django_db
def test_without_a_worker_it_says_so_and_stores_nothing() -> None:
    refusal = refused("order", *words(GOOD))
    assert (refusal.returncode, str(refusal)[:14]) == (1, "no live worker")
    assert not Order.objects.exists()


@pytest.mark.usefixtures("worker")
def test_an_order_need_not_be_waited_for() -> None:
    report = json.loads(run("order", *words(SIGNAL), "--reference=r-1", "--no-wait", "--json"))
    again = json.loads(run("order", *words(SIGNAL), "--reference=r-1", "--no-wait", "--json"))
    order = Order.objects.get()
    assert report["order_id"] == again["order_id"] == order.pk
    assert (report["status"], report["num_slices"]) == ("ACCEPTED", 10)


@pytest.mark.usefixtures("worker")
def test_a_denied_order_fails_with_its_reason() -> None:
    out = StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("order", *words(SIGNAL | {"quantity": 2_000_000}), stdout=out)
    assert ended.value.code == 1
    assert "QUANTITY_EXCEEDS_MAX" in out.getvalue()


@pytest.mark.django_db
def test_orders_are_listed_newest_first_and_filtered() -> None:
    first, second = accept(), accept(symbol="MSFT", decision_price=330)
    assert [row["order_id"] for row in json.loads(run("orders", "--json"))] == [
        second.pk,
        first.pk,
    ]
    assert [row["symbol"] for row in json.loads(run("orders", "--symbol=MSFT", "--json"))] == [
        "MSFT"
    ]
    assert json.loads(run("orders", "--status=FILLED", "--json")) == []
    table = run("orders", "--limit", 1)
    assert "BUY 100 MSFT" in table
    assert "AAPL" not in table


@pytest.mark.django_db
def test_cancel_pause_and_resume_may_be_repeated() -> None:
    order = accept()
    for command, status in (
        ("pause", "PAUSED"),
        ("pause", "PAUSED"),
        ("resume", "ACCEPTED"),
        ("cancel", "CANCELLED"),
        ("cancel", "CANCELLED"),
    ):
        said = json.loads(run(command, order.pk, "--by=ann", "--json"))
        assert (said["status"], said["unconfirmed_children"]) == (status, 0)
    assert order.events.get(kind="CANCEL_REQUESTED").data["by"] == "ann"
    assert "only a live one can be paused" in str(refused("pause", order.pk))


@pytest.mark.django_db
@pytest.mark.parametrize("command", ["cancel", "pause", "resume", "explain"])
def test_an_order_that_does_not_exist(command: str) -> None:
    refusal = refused(command, 999_999)
    assert (refusal.returncode, str(refusal)) == (2, "there is no order 999999")


@pytest.mark.django_db
@pytest.mark.parametrize("order_id", ["1_0", " 10 ", "\u0661", "-1", "1.0", "9" * 30, ""])
@pytest.mark.parametrize("command", ["cancel", "explain", "amend"])
def test_an_order_number_is_written_in_plain_digits(command: str, order_id: str) -> None:
    assert "must be a whole number" in str(refused(command, "--", order_id))


@pytest.mark.django_db
@pytest.mark.parametrize("status", ["FILLED", "EXPIRED", "REJECTED", "DENIED"])
@pytest.mark.parametrize("command", ["cancel", "pause", "resume", "amend"])
def test_an_order_that_has_ended_says_so(command: str, status: str) -> None:
    order = accept()
    done = order.quantity if status == "FILLED" else 0
    Order.objects.filter(pk=order.pk).update(status=status, filled_quantity=done)
    refusal = refused(command, order.pk, *(["--quantity=50"] if command == "amend" else []))
    assert refusal.returncode == 1
    assert f"order {order.pk} is {status}; " in str(refusal)
    assert not order.events.filter(kind="CANCEL_REQUESTED").exists()


@pytest.mark.django_db
def test_a_halt_of_what_no_order_has_ever_had_asks_about_the_spelling(
    capsys: pytest.CaptureFixture[str],
) -> None:
    accept(strategy="momentum")
    for command in ("halt", "resume_trading"):
        for strategy, told in (("momentum", ""), ("momentun", "no order has ever had the")):
            call_command(command, f"--strategy={strategy}", "--reason=news")
            assert told in capsys.readouterr().err
    call_command("halt", "--reason=news")
    assert capsys.readouterr().err == ""


@pytest.mark.django_db
def test_the_audit_trail_shows_every_event() -> None:
    order = accept()
    run("cancel", order.pk, "--by=ann", "--reason=enough")
    story = run("explain", order.pk)
    assert "BUY 100 AAPL accepted, algo TWAP, slices: 10" in story
    assert "cancel requested by ann (via CLI, reason enough)" in story
    assert "slices 0-9 -> CANCELLED" in story
    told = json.loads(run("explain", order.pk, "--json"))
    assert [event["id"] for event in told["events"]] == [
        *order.events.order_by("pk").values_list("pk", flat=True)
    ]
    assert told["order"]["status"] == "CANCELLED"


@pytest.mark.django_db
def test_a_halt_and_its_end_are_on_record() -> None:
    accept()
    report = json.loads(run("halt", "--symbol=AAPL", "--reason=news", "--by=ann", "--json"))
    assert (report["state"], report["quiet"], len(report["orders"])) == ("HALTED", True, 1)
    assert accept().status == "DENIED"
    run("resume_trading", "--symbol=AAPL", "--reason=calm", "--by=bob")
    assert accept().status == "ACCEPTED"
    changes = TradingStateChange.objects.order_by("pk").values_list("after", "changed_by")
    assert list(changes) == [("HALTED", "ann"), ("ACTIVE", "bob")]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "options",
    [
        ["--symbol=aapl", "--reason=typo"],
        ["--symbol=", "--reason=empty"],
        ["--account=two words", "--reason=typo"],
        ["--symbol=AAPL", "--reason= "],
    ],
)
def test_a_halt_that_would_halt_nothing_is_an_error(options: list[str]) -> None:
    refusal = refused("halt", *options)
    assert refusal.returncode == 2
    assert "reason" in str(refusal) or options[0].partition("=")[0] in str(refusal)
    assert not TradingState.objects.exists()


@pytest.mark.django_db
def test_roles_may_be_made_again() -> None:
    for _ in range(2):
        assert run("roles") == "groups: Viewer, Trader, Risk\n"
        names = {
            group.name: {*group.permissions.values_list("codename", flat=True)}
            for group in Group.objects.all()
        }
        viewing = names["Viewer"]
        assert {name.partition("_")[0] for name in viewing} == {"view"}
        assert names["Trader"] - viewing == {"submit_order", "cancel_order"}
        assert names["Risk"] >= {"cancel_order", "change_tradingstate"} | viewing
        assert "submit_order" not in names["Risk"]
        Group.objects.get(name="Viewer").permissions.clear()


@pytest.mark.django_db
@pytest.mark.parametrize(
    "options",
    [
        ["--symbol=AAPL"],
        ["--date=2024-06-12"],
        ["--speed=60"],
        ["--start-clock-only"],
        ["--symbol=AAPL", "--date=2024-06-12", "--minutes=1"],
        ["--symbol=AAPL", "--date=2024-06-12"],  # without MARKET__SOURCE=replay
    ],
)
def test_a_demonstration_that_cannot_be_given(options: list[str]) -> None:
    assert refused("demo", *options).returncode == 2
    assert not Order.objects.exists()


@pytest.mark.django_db
def test_a_demonstration_needs_the_stack() -> None:
    assert "no live worker" in str(refused("demo"))
    heartbeat.beat(Heartbeat.Kind.WORKER)
    assert "no live dispatcher" in str(refused("demo"))
    assert not Order.objects.exists()


def test_an_order_is_watched_to_its_end(stack: Stack) -> None:
    done = stack.manage(
        *("order", "SELL", "60", "WATCH", "--algorithm=TWAP", "--slices=3"),
        *("--window-minutes=0.1", "--json"),
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    order = Order.objects.get(pk=report["order_id"])
    assert (report["status"], report["filled_quantity"]) == ("FILLED", 60)
    assert order.filled_quantity == sum(fill.quantity for fill in order.fills.all()) == 60
    assert f"order {order.pk} SELL 60 WATCH TWAP: FILLED, filled 60/60" in done.stderr


def test_output_that_nobody_reads_is_no_error(stack: Stack) -> None:
    kept_back = stack.env(PYTHONUNBUFFERED="")  # until the end; the other at once
    commands = {
        ("resume_trading", "--symbol=PIPE", "--reason=calm"): kept_back,
        ("halt", "--symbol=PIPE", "--reason=news"): stack.env(),
        ("orders",): kept_back,
        ("denial_codes",): stack.env(),
    }
    running = {}
    for words, env in commands.items():
        reader, writer = os.pipe()
        os.close(reader)
        running[words] = subprocess.Popen(
            processes.manage(*words), stdout=writer, stderr=subprocess.PIPE, env=env, cwd=ROOT
        )
        os.close(writer)
    for words, process in running.items():
        _, said = process.communicate(timeout=60)
        assert process.returncode in (1, GONE), words  # 1: rich leaves by itself
        assert b"Traceback" not in said
        assert b"BrokenPipe" not in said
    assert TradingState.objects.filter(key="PIPE").exists()


def test_exit_codes_and_streams(stack: Stack) -> None:
    for command, code, text in (
        (["order", "BUY", "0", "AAPL"], 2, "quantity: must be a whole number"),
        (["order", "BUY", "AAPL"], 2, "required: symbol"),
        (["cancel", "999999999"], 2, "there is no order 999999999"),
        (["orders", "--status=DONE"], 2, "invalid choice"),
        (["halt", "--symbol=AAPL"], 2, "--reason"),
        (["demo", "--speed=fast"], 2, "above 0 and up to"),
    ):
        done = stack.manage(*command)
        assert (done.returncode, done.stdout) == (code, ""), command
        assert text in done.stderr
        assert "Traceback" not in done.stderr


def test_a_window_beyond_the_session_is_bad_input(stack: Stack) -> None:
    close = ExchangeCalendar().next_session(timezone.now()).close
    late = ["--price=150", f"--start={(close - timedelta(minutes=10)).isoformat()}"]
    done = stack.manage(
        *("order", "BUY", "10", "LATE", "--algorithm=TWAP", "--window-minutes=60", *late),
        MARKET__SOURCE="replay",
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert f"--window-minutes: ends after the session, which closes at {exchange_time(close)}" in (
        done.stderr
    )
    assert not Order.objects.filter(symbol="LATE").exists()


def test_ctrl_c_leaves_the_order_working(stack: Stack) -> None:
    # Jitter may delay the first slice by 0.4 of the time to the next: by four seconds here.
    order_words = ["order", "BUY", "100", "CTRLC", "--algorithm=TWAP", "--window-minutes=10"]
    watching = stack.start("order", processes.manage(*order_words, "--slices=60"))
    order = wait_for(
        lambda: Order.objects.filter(symbol="CTRLC", status="WORKING").first(), 20, "an order"
    )
    wait_for(lambda: "WORKING" in watching.output(), 20, "its display")
    watching.signal(signal.SIGINT)
    assert watching.popen.wait(20) == 130
    stack.members.remove(watching)
    assert f"order {order.pk} goes on" in watching.output()
    assert "Traceback" not in watching.output()
    assert Order.objects.get(pk=order.pk).status == "WORKING"
    assert stack.manage("cancel", str(order.pk)).returncode == 0
    wait_for(lambda: Order.objects.get(pk=order.pk).status == "CANCELLED", 20, "its cancel")


def test_a_halt_cancels_what_works_and_the_order_lives_on(stack: Stack) -> None:
    order = acceptance.accept(
        # Patient: its children rest at the broker until they are cancelled.
        SIGNAL
        | {"symbol": "HALTED", "window_minutes": 1, "slices": 40, "limit_price": 1}
        | NO_DECISION_PRICE,
        context.default(),
    )
    wait_for(lambda: order.slices.filter(status="WORKING").exists(), 20, "a child at the broker")
    sent = order.events.filter(kind="SLICE_SENDING")

    report = json.loads(stack.manage("halt", "--symbol=HALTED", "--reason=t", "--json").stdout)
    before = sent.count()
    assert report["quiet"] is True
    assert [each["order_id"] for each in report["orders"]] == [order.pk]
    at_broker = order.slices.filter(status__in=("SENDING", "UNKNOWN", "WORKING", "CANCELLING"))
    wait_for(lambda: not at_broker.exists(), 20, "every child to be confirmed as ended")
    refusals = order.slices.filter(reason__startswith="TRADING_HALTED")
    wait_for(refusals.exists, 20, "a slice to be held back")
    assert sent.count() == before
    assert Order.objects.get(pk=order.pk).status == "WORKING"

    stack.manage("resume_trading", "--symbol=HALTED", "--reason=t")
    wait_for(lambda: sent.count() > before, 20, "the order to go on")
    stack.manage("cancel", str(order.pk))
    wait_for(
        lambda: Order.objects.get(pk=order.pk).status in ORDER_TERMINAL, 20, "the order to end"
    )


def test_a_resting_order_outlives_a_halt_and_rests_again_after_the_resume(stack: Stack) -> None:
    patient = {"symbol": "HELD", "algorithm": "LIMIT", "window_minutes": 10, "limit_price": 1}
    order = acceptance.accept(
        SIGNAL | {"slices": None} | patient | NO_DECISION_PRICE, context.default()
    )
    working = order.slices.filter(status="WORKING")
    wait_for(working.exists, 20, "a child at the broker")
    stack.manage("halt", "--symbol=HELD", "--reason=news")
    wait_for(lambda: not working.exists(), 20, "its cancel")
    stack.manage("resume_trading", "--symbol=HELD", "--reason=over")
    wait_for(working.exists, 20, "its shares to be at the broker again")
    held, again = order.slices.order_by("sequence")
    assert held.reason.startswith("HALTED: SYMBOL HELD by ")
    assert again.quantity == order.quantity

    stack.manage("pause", str(order.pk))
    wait_for(lambda: not working.exists(), 20, "its cancel")
    stack.manage("resume", str(order.pk))
    wait_for(working.exists, 20, "its shares to be at the broker again")
    stack.manage("cancel", str(order.pk))
    wait_for(lambda: Order.objects.get(pk=order.pk).status == "CANCELLED", 20, "its end")


def test_a_halt_cancels_what_works_though_no_worker_has_a_thread_to_spare(stack: Stack) -> None:
    """As when all of them wait for look-ups that take long: here the workers are frozen."""
    patient = {"symbol": "BUSY", "algorithm": "LIMIT", "window_minutes": 10, "limit_price": 1}
    order = acceptance.accept(
        SIGNAL | {"slices": None} | patient | NO_DECISION_PRICE, context.default()
    )
    wait_for(order.slices.filter(status="WORKING").exists, 20, "a child at the broker")
    workers = [process for process in stack.members if process.name.startswith("worker")]
    at_broker = PaperOrder.objects.filter(client_order_id=order.slices.get().client_order_id)
    try:
        for worker in workers:
            worker.signal(signal.SIGSTOP)
        stack.manage("halt", "--symbol=BUSY", "--reason=news")
        wait_for(lambda: at_broker.get().status == "CANCELLED", 5, "its cancel")
    finally:
        for worker in workers:
            worker.signal(signal.SIGCONT)
    stack.manage("cancel", str(order.pk))
    wait_for(lambda: Order.objects.get(pk=order.pk).status == "CANCELLED", 20, "its end")
    assert order.slices.get(sequence=0).reason.startswith("HALTED: SYMBOL BUSY by ")


def test_the_demonstration_by_the_guide(stack: Stack) -> None:
    done = stack.manage("demo", "--minutes=0.2", timeout=110)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "shortened to 0.2 minutes" in done.stdout
    for text in ("BUY 33 AAPL MARKET", "BUY 150 MSFT TWAP", "BUY 4,000 GOOGL VWAP"):
        assert text in done.stdout
    assert "TWAP, 10 slices" in done.stdout
    assert "Orders ended" in done.stdout
    assert "every order was filled" in done.stdout


@pytest.fixture
def replayed(empty_stack: Stack) -> Iterator[Stack]:
    file = BARS / "us_midcaps_2024_1min.csv.gz"
    if not file.exists():
        pytest.skip(f"{file} is not there")
    empty_stack.environment |= {
        "MARKET__SOURCE": "replay",
        # A thin name moves further than the usual tolerance within a minute.
        "EXECUTION__ROUTING__CHILD_TOLERANCE_BPS": "50",
    }
    loaded = empty_stack.manage(
        "load_bars", str(file), "--symbol", "GWW", "--date", "2024-06-11", "2024-06-12"
    )
    assert loaded.returncode == 0, loaded.stderr
    yield empty_stack
    MarketClock.objects.all().delete()
    Bar.objects.all().delete()


@pytest.mark.timeout(240)
def test_the_demonstration_on_real_bars(replayed: Stack) -> None:
    chosen = ("demo", "--symbol=GWW", "--date=2024-06-12", "--speed=240")
    started = replayed.manage(*chosen, "--start-clock-only")
    assert "10:00:00 ET and runs at 240 times" in started.stdout, started.stderr
    replayed.worker()
    replayed.dispatcher()
    done = replayed.manage(*chosen, timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr
    orders = Order.objects.filter(symbol="GWW").order_by("-pk")[:3]
    fills = sum(order.fills.count() for order in orders)
    assert f"fills within the bars' ranges: {fills} of {fills}" in done.stdout
    assert "tracking error against the market VWAP of its window: " in done.stdout
    again = replayed.manage("demo", "--symbol=GWW", "--date=2024-06-11", "--speed=240")
    assert (again.returncode, "--start-clock-only" in again.stderr) == (2, True)
