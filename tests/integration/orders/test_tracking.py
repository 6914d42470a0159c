"""Orders against the market's VWAP of their window, wherever people look at them."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from typing_extensions import override

from deepstack.config import Config
from execution import context as contexts
from execution.context import Context
from execution.entry import acceptance
from execution.management import progress
from execution.market import clock
from execution.market.base import MarketDataUnavailable, TapeBar
from execution.market.replay import ReplayMarket
from execution.models import Bar, Order, VolumeProfile
from execution.orders import queries
from execution.orders.progress_curve import curve
from execution.planning import volume_profiles
from monitoring.clocks import Moment
from monitoring.models import CostAnalysis
from monitoring.reporting import cost_analysis
from tests.integration.admin.test_admin import client_of as person
from tests.integration.api.test_api import client_of
from tests.integration.monitoring.rows import CONFIG, NOON, filled, store_tape, working
from tests.integration.planning.test_profiles import session_on, sessions_before

pytestmark = pytest.mark.django_db

TODAY = date(2024, 6, 12)
MINUTE = timedelta(minutes=1)


def bought(price: str, **changes: Any) -> Order:
    return filled(price, algorithm="VWAP", **changes)


def test_the_market_vwap_the_own_average_and_the_deviation_between_them() -> None:
    tape = store_tape("150.00")
    order = bought("150.30", routing={"typical_vwap_deviation_bps": 6.5})
    seen = queries.tracking(order, tape, now=NOON)
    assert seen is not None
    assert (seen.market_vwap, seen.average) == (Decimal("150"), Decimal("150.30"))
    assert seen.deviation_bps == pytest.approx(20)
    assert seen.typical_bps == 6.5


def test_list_chart_and_cost_analysis_know_one_market_vwap() -> None:
    """Of the minute of the arrival, which traded at another price, a quarter came after it."""
    arrival, end = NOON - MINUTE * 9.25, NOON - MINUTE * 6
    tape = store_tape("150.00")
    Bar.objects.filter(start_at=NOON - MINUTE * 10).update(vwap=Decimal(152))
    order = bought("150.30", start_at=arrival, end_at=end, finished_at=end)
    moment = Moment(now=NOON, real_now=NOON)
    cost_analysis.note_changes([order.pk], moment=moment)
    cost_analysis.compute_now(order.pk, moment=moment, market=tape)

    seen = queries.tracking(order, tape, now=NOON)
    assert seen is not None
    assert seen.market_vwap == Decimal("150.153846")  # 250 shares at 152, 3,000 at 150
    assert CostAnalysis.objects.get(order=order).market_vwap == seen.market_vwap
    assert curve(order, tape, now=NOON)["vwap"][-1].y == float(seen.market_vwap)


@pytest.mark.parametrize(
    ("order", "tracked"),
    [
        pytest.param({"algorithm": "MARKET"}, False, id="not judged against the VWAP"),
        pytest.param({"status": "DENIED"}, False, id="never begun"),
        pytest.param({"start_at": NOON + MINUTE}, False, id="not begun yet"),
        pytest.param({"algorithm": "POV"}, True, id="begun, nothing executed"),
    ],
)
def test_which_orders_are_tracked(order: dict[str, Any], tracked: bool) -> None:
    stored = working(**{"algorithm": "VWAP", **order})
    seen = queries.tracking(stored, store_tape("150.00"), now=NOON)
    assert (seen is not None) == tracked
    if seen is not None:
        assert (seen.market_vwap, seen.average, seen.deviation_bps) == (Decimal(150), None, None)
        assert seen.until == NOON


class Silent(ReplayMarket):
    asked = 0

    @override
    def bars(self, symbol: str, start: datetime, end: datetime) -> list[TapeBar]:
        self.asked += 1
        raise MarketDataUnavailable("no line")


def test_a_silent_market_is_asked_once_for_a_list_and_fails_no_detail() -> None:
    orders = [bought("150.00") for _ in range(5)]
    market = Silent(CONFIG)
    assert queries.trackings(orders, market, now=NOON) == {}
    assert market.asked == 1
    seen = queries.tracking(orders[0], market, now=NOON)
    assert seen is not None
    assert (seen.market_vwap, seen.deviation_bps) == (None, None)


def test_the_progress_line_shows_benchmark_deviation_and_what_is_usual() -> None:
    tape = store_tape("150.00")
    order = bought("150.03", routing={"typical_vwap_deviation_bps": 6.5})
    [seen] = queries.progress([order.pk], tape, now=NOON)
    assert "(VWAP 150.0000 +2.0 bps, usually within 6.5)" in progress.line(seen)


def shown_by(command: str, *options: str) -> str:
    out = StringIO()
    call_command(command, *options, stdout=out)
    return out.getvalue()


def test_list_api_and_admin_show_the_same() -> None:
    """On the process's own market, whose VWAP is what it is."""
    order = bought("150.00", routing={"typical_vwap_deviation_bps": 6.5})
    here = contexts.default()
    seen = queries.tracking(order, here.market, now=here.now())
    assert seen is not None
    assert seen.deviation_bps is not None

    [row] = json.loads(shown_by("orders", "--json"))
    api = client_of("Viewer").get(f"/api/v1/orders/{order.pk}/").json()["vwap_tracking"]
    assert row["vwap_tracking"]["market_vwap"] == api["market_vwap"] == str(seen.market_vwap)
    assert api["deviation_bps"] == row["vwap_tracking"]["deviation_bps"] == seen.deviation_bps
    assert api["typical_bps"] == 6.5

    price, against = f"{seen.market_vwap:,.4f}", f"{seen.deviation_bps:+.1f}"
    table = shown_by("orders")
    assert price in table
    assert f"{against} of 6.5" in table
    viewer: Client = person("Viewer")
    page = viewer.get(f"/admin/operations/order/{order.pk}/").content.decode()
    assert price in page
    assert f"{against} bps</b>" in page
    assert "± 6.5 bps" in page


def test_the_api_says_null_where_nothing_is_tracked() -> None:
    order = filled("150.00", algorithm="MARKET")
    api = client_of("Viewer").get(f"/api/v1/orders/{order.pk}/").json()
    assert api["vwap_tracking"] is None


def store(days: list[date]) -> None:
    """Sessions with a smile that is deeper on every other day, their price rising all day."""
    bars = []
    for number, day in enumerate(days):
        opens = session_on(day).open
        for minute in range(390):
            price = Decimal(900 + number % 3) + Decimal(minute) / 100
            volume = 400 + abs(2 * minute - 390) * (1 + number % 2)
            prices = dict.fromkeys(("open", "high", "low", "close"), price)
            bars.append(
                Bar(symbol="GWW", start_at=opens + MINUTE * minute, volume=volume, **prices)
            )
    Bar.objects.bulk_create(bars)


@pytest.fixture
def context() -> Iterator[Context]:
    days = sessions_before(TODAY, 10)
    store([*days, TODAY])
    opens = session_on(TODAY).open
    volume_profiles.learn_from_bars(now=opens)
    config = Config(limits={"max_adv_share": 1})  # type: ignore[arg-type]  # read by pydantic
    market = ReplayMarket(config)
    yield replace(
        contexts.default(), config=config, market=market, now=lambda: opens + timedelta(minutes=90)
    )
    clock.forget()


def accept(context: Context, **changes: Any) -> Order:
    signal = {"symbol": "GWW", "side": "BUY", "quantity": 900, "window_minutes": 120}
    return acceptance.accept(signal | changes, context)


@pytest.mark.parametrize("algorithm", ["VWAP", "POV", "TWAP"])
def test_an_accepted_order_knows_how_far_away_is_usual(context: Context, algorithm: str) -> None:
    usual = accept(context, algorithm=algorithm).routing["typical_vwap_deviation_bps"]
    row = VolumeProfile.objects.get(symbol="GWW")
    schedule = "even" if algorithm == "TWAP" else "profile"
    # From 11:00 until 13:00, the fourth to the seventh half-hour.
    assert usual > row.deviations[schedule][3][3] > 0
    assert usual < 50


@pytest.mark.parametrize(
    ("symbol", "algorithm"), [("GWW", "IS"), ("GWW", "MARKET"), ("TYL", "VWAP")]
)
def test_where_nothing_was_learned_nothing_is_usual(
    context: Context, symbol: str, algorithm: str
) -> None:
    changes = {"decision_price": 900, "symbol": symbol}
    order = accept(context, algorithm=algorithm, **changes)
    assert order.status == "ACCEPTED"
    assert order.routing["typical_vwap_deviation_bps"] is None


def test_the_profile_of_all_has_no_deviation_of_its_own(context: Context) -> None:
    assert VolumeProfile.objects.get(symbol="").deviations == {}
