"""The demonstration, on a simulated market and on real bars."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from deepstack.config import ROOT
from execution.models import Bar, MarketClock, Order
from tests.stack import Stack

BARS = Path(os.environ.get("DEEPSTACK_DATA", ROOT.parent / "shared" / "data"))

pytestmark = pytest.mark.any_date


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
    replayed.team()
    done = replayed.manage(*chosen, timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr
    orders = Order.objects.filter(symbol="GWW").order_by("-pk")[:3]
    fills = sum(order.fills.count() for order in orders)
    assert f"fills within the bars' ranges: {fills} of {fills}" in done.stdout
    assert "tracking error against the market VWAP of its window: " in done.stdout
    again = replayed.manage("demo", "--symbol=GWW", "--date=2024-06-11", "--speed=240")
    assert (again.returncode, "--start-clock-only" in again.stderr) == (2, True)
