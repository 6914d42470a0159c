"""The command line in this process, where nobody has to work."""

import getpass
import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from deepstack import manage
from execution import context, heartbeat
from execution.entry import acceptance
from execution.management.commands.order import OPTIONS
from execution.models import (
    Heartbeat,
    Order,
    OrderEvent,
    Slice,
    TradingState,
    TradingStateChange,
)
from tests.bad_signals import BAD_SIGNALS, GOOD
from tests.integration.api.test_api import client_of
from tests.integration.commands.console import SIGNAL, run
from tests.stack import Stack


def words(signal: dict[str, Any]) -> list[str]:
    rest = dict(signal)
    said = [str(rest.pop(name)) for name in ("side", "quantity", "symbol")]
    return said + [word for name, value in rest.items() for word in (OPTIONS[name], str(value))]


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
@pytest.mark.parametrize("reason", ["bad \udcff byte", "two\nlines", "a \x1b[2J screen"])
def test_no_reason_keeps_an_order_from_being_paused(reason: str) -> None:
    order = accept()
    run("pause", order.pk, "--by=ann", f"--reason={reason}")
    order.refresh_from_db()
    assert order.status == "PAUSED"
    assert order.status_reason.isprintable()


@pytest.mark.django_db
@pytest.mark.parametrize("by", ["", "  ", "a\nb", "b" * 151])
@pytest.mark.parametrize("command", ["resume", "amend"])
def test_who_lets_something_trade_has_a_name(command: str, by: str) -> None:
    wrong = str(refused(command, accept().pk, f"--by={by}"))
    assert "must be a name of 1 to 150 characters" in wrong


@pytest.mark.django_db
@pytest.mark.parametrize("by", ["", "  ", "a\nb", "b" * 151])
@pytest.mark.parametrize("command", ["cancel", "pause", "halt"])
def test_no_name_keeps_anybody_from_stopping(command: str, by: str) -> None:
    about = ["--reason=news"] if command == "halt" else [accept().pk]
    run(command, *about, f"--by={by}")
    if command == "halt":
        recorded = TradingState.objects.get(scope="SYSTEM", state="HALTED").changed_by
    else:
        asked = OrderEvent.objects.filter(data__has_key="by").exclude(kind="ORDER_ACCEPTED")
        recorded = asked.latest("pk").data["by"]
    assert recorded == {"a\nb": "a b", "b" * 151: "b" * 150}.get(by, getpass.getuser())


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


@pytest.mark.parametrize(
    "words",
    [
        ["halt", "--reason=x", "--symbol=AAPL", "--symbol=MSFT"],
        ["halt", "--reason=x", "--account=a", "--account=b"],
        ["resume_trading", "--reason=x", "--symbol=AAPL", "--symbol=MSFT"],
        ["order", "BUY", "10", "AAPL", "--limit=145", "--limit-price=146"],
        ["order", "BUY", "10", "AAPL", "--account=a", "--account=b"],
        ["order", "BUY", "10", "AAPL", "--reference=a", "--reference=b"],
        ["order", "BUY", "10", "AAPL", "--max-slice=5", "--max-slice=50"],
        ["preview", "BUY", "10", "AAPL", "--urgency=LOW", "--urgency=HIGH"],
        ["amend", "1", "--quantity=5", "--quantity=50"],
        ["accept_break", "AAPL", "--reason=x", "--account=a", "--account=b"],
    ],
    ids=" ".join,
)
def test_an_option_that_is_given_twice_must_say_the_same(words: list[str]) -> None:
    with pytest.raises(CommandError, match=r"was given as .* and as .*; give one"):
        call_command(*words)


@pytest.mark.django_db
def test_the_audit_trail_shows_every_event() -> None:
    order = accept()
    run("cancel", order.pk, "--by=ann", "--reason=enough")
    text = run("explain", order.pk)
    assert "BUY 100 AAPL accepted, algo TWAP, slices: 10" in text
    assert "cancel requested by ann: enough" in text
    assert "cancel requested by ann: enough (via CLI)" in run("explain", order.pk, "--facts")
    assert "slices 0-9 -> CANCELLED" in text
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
        assert names["Trader"] - viewing == {"submit_order", "cancel_order", "halt_own_desk"}
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


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("command", "text"),
    [
        (["order", "BUY", "AAPL"], "required: symbol"),
        (["cancel", "999999999"], "there is no order 999999999"),
        (["orders", "--status=DONE"], "invalid choice"),
        (["orders", "--symbol=aapl"], "a ticker in capitals"),
        (["orders", "--watch", "--json"], "ask for --json without it"),
        (["learn_profiles", "--symbol", "AAPL", "msft"], "a ticker in capitals"),
        (["tune_forecast", "--symbol", "BRK-B"], "a ticker in capitals"),
        (["halt", "--symbol=AAPL"], "--reason"),
        (["demo", "--speed=fast"], "above 0 and up to"),
    ],
)
def test_what_is_wrong_goes_to_standard_error(
    capsys: pytest.CaptureFixture[str], command: list[str], text: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        manage.main(command)
    said = capsys.readouterr()
    assert (ended.value.code, said.out) == (2, "")
    assert text in said.err
    assert "Traceback" not in said.err


@pytest.mark.parametrize("command", ["summary", "test_alert"])
def test_a_database_that_is_away_is_told_in_words(command: str, tmp_path: Path) -> None:
    nowhere = "postgresql://nobody@127.0.0.1:1/nothing"
    done = Stack(tmp_path).manage(command, DATABASE_URL=nowhere)
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[0].startswith("PostgreSQL: connection")
    assert "Traceback" not in done.stderr


@pytest.mark.django_db
def test_before_the_migrations_of_a_new_release_every_door_says_what_to_run() -> None:
    api = client_of("Trader")
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE execution_order RENAME COLUMN basket TO of_before")
        with pytest.raises(CommandError, match=r"run `manage\.py migrate`"), transaction.atomic():
            run("orders")
        with transaction.atomic():
            answer = api.get("/api/v1/orders/")
            transaction.set_rollback(True)
        transaction.set_rollback(True)
    assert (answer.status_code, answer.json()["code"]) == (503, "DATABASE_UNAVAILABLE")
    assert "run `manage.py migrate`" in answer.json()["detail"]
