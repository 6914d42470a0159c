"""Algorithm against algorithm: in the report, its page, its files, its frames."""

import csv
import json
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.test import Client

from execution.models import Order
from monitoring.cost_report import replayed
from monitoring.cost_report.period import Period
from monitoring.cost_report.replayed import Replayed, Verdict
from monitoring.frames import to_frame
from monitoring.models import OrderReplay
from tests.integration.monitoring.rows import NOON, filled
from tests.integration.monitoring.test_tca_page import shown, viewer

__all__ = ["viewer"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("at_noon")]
MARCH = Period(NOON.date() - timedelta(days=20), NOON.date())
SPAN = ("--from", "2026-02-10", "--to", "2026-03-02")


def replays(order: Order, *, actual: float | None = None, **bps: float) -> Order:
    """What the order cost by each algorithm; TWAP is its own."""
    for algorithm, cost in bps.items():
        own = algorithm == "TWAP"
        OrderReplay.objects.create(
            order=order,
            algorithm=algorithm,
            own=own,
            start_at=order.start_at,
            end_at=order.end_at,
            filled_quantity=order.quantity if algorithm != "LIMIT" else 0,
            arrival_bps=Decimal(cost),
            shortfall_bps=Decimal(cost),
            actual_bps=None if actual is None or not own else Decimal(actual),
            computed_at_real=NOON,
        )
    return order


def weeks() -> list[Order]:
    """Twelve days: VWAP costs 2 bps less than TWAP, give or take 0.2; IS is now better and now
    worse. The first day has an order in MSFT as well, which was not replayed."""
    orders = []
    for day in range(12):
        before = timedelta(days=day)
        order = filled(
            "150.00",
            start_at=NOON - timedelta(minutes=40) - before,
            finished_at=NOON - timedelta(minutes=10) - before,
        )
        wave = 1 if day % 2 else -1
        twap = 5.0 + day
        costs = {"TWAP": twap, "VWAP": twap - 2 + 0.2 * wave, "IS": twap + 6.0 * wave}
        orders.append(replays(order, actual=twap - 1, **costs))
    filled("150.00", symbol="MSFT")
    return orders


def compared() -> Replayed:
    return replayed.of(MARCH)


def test_a_difference_is_told_apart_or_not() -> None:
    weeks()
    found = compared()
    assert found.orders == 12
    assert list(found.ways) == ["TWAP", "VWAP", "IS"]
    pair = found.pairs["TWAP", "VWAP"]
    assert pair.bps == pytest.approx(2.0)
    assert pair.verdict == Verdict.MORE
    assert found.pairs["IS", "TWAP"].verdict == Verdict.NOT_TOLD_APART
    assert next(iter(found.pairs)) == ("TWAP", "VWAP")
    assert found.error is not None
    assert (found.error.bps, found.error.verdict) == (pytest.approx(1.0), Verdict.MORE)


def test_the_orders_of_a_symbol_and_day_are_one_observation() -> None:
    """Ten orders of one hour met one market: they tell as little as one."""
    for _ in range(10):
        replays(filled("150.00"), TWAP=5, VWAP=3)
    pair = compared().pairs["TWAP", "VWAP"]
    assert (pair.orders, pair.sums.orders) == (10, 1)
    assert (pair.margin_bps, pair.verdict) == (None, Verdict.TOO_FEW)


def test_a_mean_is_weighted_by_value() -> None:
    replays(filled("150.00", quantity=300), TWAP=4, VWAP=0)
    replays(filled("150.00", quantity=100, symbol="MSFT"), TWAP=0, VWAP=4)
    assert compared().pairs["TWAP", "VWAP"].bps == pytest.approx(2.0)


def test_who_fills_nothing_is_seen() -> None:
    replays(filled("150.00"), TWAP=4, LIMIT=9)
    ways = compared().ways
    assert (ways["LIMIT"].filled, ways["TWAP"].filled) == (0, 1)


def test_orders_that_could_not_be_replayed_do_not_count() -> None:
    order = filled("150.00")
    OrderReplay.objects.create(
        order=order, algorithm="TWAP", own=True, problem="no tape", computed_at_real=NOON
    )
    assert compared() == Replayed({}, {}, None)


def test_another_account_is_not_in_it() -> None:
    replays(filled("150.00", account="other"), TWAP=4, VWAP=0)
    assert replayed.of(MARCH, account="other").orders == 1
    assert replayed.of(MARCH, account="main").orders == 0


def test_the_page_and_the_file_show_it(viewer: Client) -> None:
    weeks()
    for path in ("/admin/tca/", "/admin/tca/report.html"):
        page = " ".join(shown(viewer, f"{path}?from=2026-02-10&to=2026-03-02").split())
        assert "Algorithm against algorithm (replayed)" in page
        assert '<th scope="row">TWAP - VWAP</th>' in page
        assert "TWAP costs more" in page
        assert "not told apart" in page
    assert "replayed)" not in shown(viewer, "/admin/tca/?from=2026-01-10&to=2026-01-12")


def test_the_csv_has_every_pair(viewer: Client, tmp_path: Path) -> None:
    weeks()
    path = tmp_path / "algorithms.csv"
    call_command("tca", *SPAN, "--algorithms-csv", str(path), stdout=StringIO())
    text = shown(viewer, "/admin/tca/algorithms.csv?from=2026-02-10&to=2026-03-02")
    assert text == path.read_bytes().decode()
    rows = {(row["algorithm"], row["against"]): row for row in csv.DictReader(StringIO(text))}
    assert set(rows) == {
        ("TWAP", ""), ("VWAP", ""), ("IS", ""), ("TWAP", "VWAP"), ("IS", "TWAP"), ("IS", "VWAP"),
        ("own, replayed", "own, really"),
    }  # fmt: skip
    assert rows["TWAP", "VWAP"]["verdict"] == "costs more"
    assert float(rows["TWAP", "VWAP"]["bps"]) == pytest.approx(2.0, abs=1e-4)


def test_the_command_shows_it_in_eighty_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("execution.management.console.PIPED_WIDTH", 80)
    weeks()
    out = StringIO()
    call_command("tca", *SPAN, stdout=out)
    text = out.getvalue()
    assert max(len(line) for line in text.splitlines()) <= 80
    assert "TWAP - VWAP" in text
    assert "replayed - real" in text


def test_json_has_the_same_lines() -> None:
    weeks()
    out = StringIO()
    call_command("tca", *SPAN, "--json", stdout=out)
    found = json.loads(out.getvalue())["replayed"]
    assert {"TWAP", "VWAP", "IS", "own, replayed"} == {row["algorithm"] for row in found}


def test_a_frame_has_a_row_for_each_order_and_algorithm() -> None:
    weeks()
    frame = to_frame("replays", first="2026-02-10", last="2026-03-02")
    wide = frame.pivot_table(index="order_id", columns="algorithm", values="shortfall_bps")
    assert (wide["TWAP"] - wide["VWAP"]).mean() == pytest.approx(2.0)
    assert frame["own"].sum() == 12


def test_the_page_of_an_order_shows_the_other_ways(viewer: Client) -> None:
    order = weeks()[0]
    OrderReplay.objects.create(
        order=order, algorithm="LIMIT", own=False, problem="no tape", computed_at_real=NOON
    )
    page = " ".join(shown(viewer, f"/admin/operations/order/{order.pk}/").split())
    assert "What the other ways would have cost (replayed)" in page
    shown_order = [page.index(f'<th scope="row">{name}') for name in ("IS", "VWAP", "TWAP")]
    assert shown_order == sorted(shown_order)
    assert "really +4.0<" in page
    assert "Not replayed: LIMIT: no tape." in page
