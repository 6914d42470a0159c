"""Ended orders leave the database for files: nothing that anybody reads becomes another."""

import gzip
from collections.abc import Sequence
from datetime import datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db.models import F, Q
from django.test import Client
from django.utils import timezone

from execution import context
from execution.archive import moving, reading
from execution.archive.manifest import ArchiveError
from execution.archive.moving import Moved
from execution.booking import position_check
from execution.domain.event_kinds import EventKind
from execution.domain.lifecycle import SliceStatus
from execution.models import (
    Archive,
    ArchivedTrade,
    DayTrade,
    Fill,
    Order,
    OrderEvent,
    Position,
    Slice,
)
from execution.orders import verification
from execution.orders.journal import record_event
from execution.sending import outcomes
from monitoring.models import Alert, CostAnalysis
from tests.faults import no_longer_file_than
from tests.integration.order_steps import claim, execution, new_order, report

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.any_date]

LONG_AGO = timedelta(days=100)


def executed(quantity: int = 100, **more: object) -> Order:
    """An order of two children, both executed."""
    order = new_order(quantity, 2, **more)
    for part in order.slices.order_by("sequence"):
        intent = claim(part)
        assert intent is not None
        done = [execution(intent, "1", intent.ticket.quantity)]
        seen = report(intent, SliceStatus.FILLED, done)
        outcomes.record(order.pk, part.pk, intent.token, seen, context.default())
    order.refresh_from_db()
    assert order.status == "FILLED"
    return order


def age(*orders: Order) -> None:
    """As if all of it had happened long ago."""
    for order in orders:
        Order.objects.filter(pk=order.pk).update(created_at_real=F("created_at_real") - LONG_AGO)
        order.events.update(recorded_at_real=F("recorded_at_real") - LONG_AGO)


def ninety_days_ago() -> datetime:
    return timezone.now() - timedelta(days=90)


def archived(folder: Path, *, key: str = "") -> list[Moved]:
    return list(moving.archive(folder, before=ninety_days_ago(), only=Q(), key=key))


def parts_of(orders: Sequence[Order]) -> int:
    return sum(
        model.objects.filter(order__in=orders).count() for model in (Slice, Fill, OrderEvent)
    )


def kept() -> tuple[list[object], list[object]]:
    """The positions and the day's trades."""
    days = DayTrade.objects.order_by("account", "midnight", "symbol", "side")
    rows = days.values_list("account", "midnight", "symbol", "side", "shares", "money", "fees")
    positions = Position.objects.order_by("account", "symbol").values_list("symbol", "shares")
    return list(positions), list(rows)


def explained(order: Order, *words: str) -> str:
    out = StringIO()
    call_command("explain", str(order.pk), *words, stdout=out)
    return out.getvalue()


def test_what_is_archived_is_told_as_before_and_counts_as_before(
    tmp_path: Path, settings: object
) -> None:
    old = [executed(), executed(side="SELL", quantity=30), executed(symbol="MSFT")]
    recent = executed(quantity=50)
    age(*old)
    before, parts = kept(), parts_of(old)
    trails = {
        order: [(e.pk, e.kind, e.data, e.at, e.recorded_at_real) for e in order.events.all()]
        for order in old
    }

    (moved,) = archived(tmp_path)

    assert (moved.orders, moved.rows) == (3, parts + 3)
    assert parts_of(old) == 0
    assert parts_of([recent]) > 0
    assert kept() == before
    assert position_check.differences() == []
    position_check.rebuild()
    assert kept() == before
    assert [each for batch in verification.batches() for each in batch.found] == []
    assert list(reading.problems(tmp_path, key="")) == []
    for order, trail in trails.items():
        member = reading.of_order(order)
        assert member is not None
        assert member.broker == context.default().broker.name
        told = reading.trail(member, tmp_path, key="")
        assert [(e.pk, e.kind, e.data, e.at, e.recorded_at_real) for e in told] == trail
    assert archived(tmp_path) == []
    assert oct((moved.folder or tmp_path).stat().st_mode & 0o777) == "0o700"
    files = list((moved.folder or tmp_path).iterdir())
    assert {oct(each.stat().st_mode & 0o777) for each in files} == {"0o600"}


def test_a_fill_that_is_taken_back_still_leaves_the_position(tmp_path: Path) -> None:
    old, recent = executed(), executed(quantity=50)
    age(old)
    archived(tmp_path)
    Fill.objects.filter(order=recent).delete()
    assert Position.objects.get(symbol="AAPL").shares == 100
    assert ArchivedTrade.objects.get().shares == 100


def test_what_is_not_over_stays(tmp_path: Path) -> None:
    live = new_order()
    recent, touched, unsettled, newest = executed(), executed(), executed(), executed()
    age(live, touched, unsettled, newest)
    record_event(touched, EventKind.COMMISSION, {"slice": 0}, at=timezone.now())
    Slice.objects.filter(order=unsettled, sequence=0).update(status="CANCELLING")
    parts = {order: parts_of([order]) for order in (live, recent, touched, unsettled)}
    archived(tmp_path)
    assert {order: parts_of([order]) for order in parts} == parts


def test_the_newest_event_of_all_stays_since_recovery_mode_goes_by_it(tmp_path: Path) -> None:
    first, last = executed(), executed()
    age(first, last)
    archived(tmp_path)
    assert parts_of([first]) == 0
    assert parts_of([last]) > 0


def test_an_order_whose_rows_contradict_each_other_stays_and_is_named(tmp_path: Path) -> None:
    wrong, right, recent = executed(), executed(), executed()
    age(wrong, right)
    Order.objects.filter(pk=wrong.pk).update(commission=99)
    (moved,) = archived(tmp_path)
    assert (moved.orders, list(moved.contradictory)) == (1, [wrong.pk])
    assert parts_of([wrong]) > 0
    assert parts_of([right]) == 0
    assert parts_of([recent]) > 0


def test_what_happens_between_the_writing_and_the_removing_is_not_lost(tmp_path: Path) -> None:
    old, recent = executed(), executed()
    age(old)
    own = tmp_path / "orders"
    own.mkdir()
    manifest, known = moving._write(own, [old.pk], "")
    record_event(old, EventKind.COMMISSION, {"slice": 0}, at=timezone.now())
    parts = parts_of([old, recent])
    with pytest.raises(ArchiveError, match=r"events.csv.gz has \d+ rows, the database \d+"):
        moving._remove(own.name, manifest, known)
    assert parts_of([old, recent]) == parts
    assert not Archive.objects.exists()
    assert not ArchivedTrade.objects.exists()


def test_nothing_is_removed_where_the_files_lie(tmp_path: Path) -> None:
    """What another run has left under the name stays, too."""
    old, recent = executed(), executed()
    age(old)
    left = tmp_path / f"orders-{old.pk}-{old.pk}"
    left.mkdir()
    (left / "whatever").write_text("of somebody else")
    (moved,) = archived(tmp_path)
    assert moved.folder == tmp_path / f"{left.name}-2"
    assert (left / "whatever").read_text() == "of somebody else"
    assert parts_of([recent]) > 0


def test_on_a_full_disk_the_rows_stay_and_no_files(tmp_path: Path) -> None:
    order = executed()
    age(order)
    executed()
    before = parts_of([order])
    with no_longer_file_than(100), pytest.raises(OSError, match="File too large"):
        archived(tmp_path)
    assert parts_of([order]) == before
    assert not list(tmp_path.iterdir())


def test_the_pages_of_an_archived_order_still_open(tmp_path: Path) -> None:
    old, recent = executed(), executed()
    age(old)
    archived(tmp_path)
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    pages = [f"/admin/execution/order/{old.pk}/{page}" for page in ("change/", "curve/")]
    parts = [f"/api/v1/orders/{old.pk}/{part}" for part in ("", "slices/", "fills/", "events/")]
    assert {page: client.get(page).status_code for page in (*pages, *parts)} == dict.fromkeys(
        (*pages, *parts), 200
    )
    assert client.get(parts[0]).json()["filled_quantity"] == 100
    assert parts_of([recent]) > 0


@pytest.mark.parametrize("part", ["events.csv.gz", "fills.csv.gz", "manifest.json"])
def test_a_file_that_was_changed_is_named_and_not_believed(tmp_path: Path, part: str) -> None:
    old, recent = executed(), executed()
    age(old)
    (moved,) = archived(tmp_path, key="a key")
    assert moved.folder is not None
    assert list(reading.problems(tmp_path, key="a key")) == []
    path = moved.folder / part
    if part.endswith("gz"):
        path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()).replace(b"1", b"2")))
    else:
        path.write_text(path.read_text().replace("1", "2"))
    assert part in "\n".join(reading.problems(tmp_path, key="a key"))
    member = reading.of_order(old)
    assert member is not None
    with pytest.raises(ArchiveError, match=part):
        reading.trail(member, tmp_path, key="a key")
    assert parts_of([recent]) > 0


def test_the_command_takes_what_is_final_and_says_where_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    final, preliminary, standing, recent = executed(), executed(), executed(), executed()
    age(final, preliminary, standing)
    for order in (final, standing):
        CostAnalysis.objects.create(order=order, event_id=order.events.latest("pk").pk)
    Alert.objects.create(
        kind="INCOMPLETE",
        severity="WARNING",
        message="stands",
        order=standing,
        dedupe_key="stands",
        raised_at=timezone.now(),
        raised_at_real=timezone.now(),
    )
    monkeypatch.setattr("execution.archive.files.ROOT", tmp_path)
    trail = explained(final).partition("\n\n")[2]

    out = StringIO()
    call_command("archive", "--older-than", "90", "--dry-run", stdout=out)
    assert out.getvalue() == "1 orders would be archived\n"
    call_command("archive", "--older-than", "90", stdout=out)
    assert "1 orders, " in out.getvalue()
    assert parts_of([final]) == 0
    assert all(parts_of([order]) for order in (preliminary, standing, recent))
    assert explained(final).partition("\n\n")[2] == trail
    call_command("archive", "--check", stdout=out)
    assert "1 archives: all as they were written" in out.getvalue()

    next((tmp_path / "var" / "archive").rglob("events.csv.gz")).unlink()
    with pytest.raises(CommandError, match="1 problems"):
        call_command("archive", "--check", stdout=out)
    with pytest.raises(CommandError, match=r"was archived: .*events.csv.gz is missing"):
        explained(final)


@pytest.mark.parametrize(
    ("words", "said"),
    [([], "Say --older-than DAYS"), (["--older-than", "6"], "7"), (["--older-than", "x"], "x")],
)
def test_how_old_must_be_said_and_be_a_week_at_least(words: list[str], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        call_command("archive", *words)
