"""The command line with the running stack."""

import json
import os
import signal
import subprocess
from datetime import timedelta

import pytest
from django.utils import timezone

from deepstack import processes
from deepstack.config import ROOT
from deepstack.pipes import GONE
from execution import context
from execution.domain.exchange_time import exchange_time
from execution.domain.lifecycle import ORDER_TERMINAL
from execution.entry import acceptance
from execution.market.calendar import ExchangeCalendar
from execution.models import Order, PaperOrder, TradingState
from tests.integration.commands.console import NO_DECISION_PRICE, SIGNAL, run
from tests.stack import Stack, wait_for


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
        ("resume_trading", "--symbol=CALM", "--reason=calm"): kept_back,
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
    done = stack.manage("order", "BUY", "0", "AAPL")
    assert (done.returncode, done.stdout) == (2, "")
    assert "quantity: must be a whole number" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_terminal_shows_the_result_and_the_log_file_has_the_events(stack: Stack) -> None:
    done = stack.manage("order", "BUY", "10", "SHOWN", "--price=1", "--no-wait")
    assert "DECISION_PRICE_OFF_MARKET" in done.stdout
    assert '"event_id"' not in done.stderr
    order = Order.objects.get(symbol="SHOWN")
    lines = (stack.folder / "deepstack.log").read_text().splitlines()
    assert any(f'"order_id": {order.pk},' in line and "DENIED" in line for line in lines)


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
    run("cancel", order.pk)
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

    report = json.loads(run("halt", "--symbol=HALTED", "--reason=t", "--json"))
    before = sent.count()
    assert report["quiet"] is True
    assert [each["order_id"] for each in report["orders"]] == [order.pk]
    at_broker = order.slices.filter(status__in=("SENDING", "UNKNOWN", "WORKING", "CANCELLING"))
    wait_for(lambda: not at_broker.exists(), 20, "every child to be confirmed as ended")
    refusals = order.slices.filter(reason__startswith="TRADING_HALTED")
    wait_for(refusals.exists, 20, "a slice to be held back")
    assert sent.count() == before
    assert Order.objects.get(pk=order.pk).status == "WORKING"

    run("resume_trading", "--symbol=HALTED", "--reason=t")
    wait_for(lambda: sent.count() > before, 20, "the order to go on")
    run("cancel", order.pk)
    wait_for(
        lambda: Order.objects.get(pk=order.pk).status in ORDER_TERMINAL, 20, "the order to end"
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"LIMITS__MAX_POSITION": "many"},
        {"TRADING_MOD": "live"},
        {"LIMITS_MAX_SLICES": "5"},
        {"REDIS_URL": "nowhere"},
    ],
)
def test_trading_is_stopped_however_wrong_the_configuration_is(
    stack: Stack, wrong: dict[str, str]
) -> None:
    done = subprocess.run(
        processes.manage("halt", "--symbol=WRONG", "--reason=typing error"),
        env=stack.env(**wrong),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert next(iter(wrong)).lower().replace("__", ".") in done.stderr.lower()
    assert "trading is stopped all the same" in done.stderr
    assert "HALTED: symbol WRONG" in done.stdout
    assert "no send is under way, and none can begin" in done.stdout
    assert TradingState.objects.get(key="WRONG").state == "HALTED"
    TradingState.objects.filter(key="WRONG").delete()


def test_a_resting_order_outlives_a_halt_and_rests_again_after_the_resume(stack: Stack) -> None:
    patient = {"symbol": "HELD", "algorithm": "LIMIT", "window_minutes": 10, "limit_price": 1}
    order = acceptance.accept(
        SIGNAL | {"slices": None} | patient | NO_DECISION_PRICE, context.default()
    )
    working = order.slices.filter(status="WORKING")
    wait_for(working.exists, 20, "a child at the broker")
    run("halt", "--symbol=HELD", "--reason=news")
    wait_for(lambda: not working.exists(), 20, "its cancel")
    run("resume_trading", "--symbol=HELD", "--reason=over")
    wait_for(working.exists, 20, "its shares to be at the broker again")
    held, again = order.slices.order_by("sequence")
    assert held.reason.startswith("HALTED: SYMBOL HELD by ")
    assert again.quantity == order.quantity

    run("pause", order.pk)
    wait_for(lambda: not working.exists(), 20, "its cancel")
    run("resume", order.pk)
    wait_for(working.exists, 20, "its shares to be at the broker again")
    run("cancel", order.pk)
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
        run("halt", "--symbol=BUSY", "--reason=news")
        wait_for(lambda: at_broker.get().status == "CANCELLED", 5, "its cancel")
    finally:
        for worker in workers:
            worker.signal(signal.SIGCONT)
    run("cancel", order.pk)
    wait_for(lambda: Order.objects.get(pk=order.pk).status == "CANCELLED", 20, "its end")
    assert order.slices.get(sequence=0).reason.startswith("HALTED: SYMBOL BUSY by ")
