import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from statistics import fmean, pstdev

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepstack.config import ROOT, Config, Paper
from deepstack.config_market import Market, Simulated
from execution.market.base import volume, vwap
from execution.market.simulated import SimulatedMarket

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
DAY = timedelta(days=1)
moments = st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
symbols = st.sampled_from(["AAPL", "MSFT", "GWW", "BRK.B", "X"])


def market(**changes: object) -> SimulatedMarket:
    simulated = Simulated.model_validate({"seed": 7, **changes})
    return SimulatedMarket(
        Config(market=Market(simulated=simulated), paper=Paper(displayed_shares=500))
    )


MARKET = market()


@settings(deadline=None)
@given(symbols, moments)
def test_a_quote_is_on_the_grid_and_not_crossed(symbol: str, at: datetime) -> None:
    quote = MARKET.quote(symbol, at)

    assert quote is not None
    assert quote.at == at
    assert 0 < quote.bid < quote.ask
    assert quote.bid % Decimal("0.01") == quote.ask % Decimal("0.01") == 0
    assert 250 <= quote.bid_size <= 750
    assert 250 <= quote.ask_size <= 750


@settings(deadline=None)
@given(symbols, moments)
def test_a_quote_lies_in_the_range_of_its_minute(symbol: str, at: datetime) -> None:
    quote, minute = MARKET.quote(symbol, at), MARKET.printing(symbol, at)

    assert quote is not None
    assert minute is not None
    assert minute.start <= at < minute.end
    assert minute.low <= quote.bid < quote.ask <= minute.high


@settings(deadline=None)
@given(symbols, moments, st.sampled_from([7, 33, 120]))
def test_bars_are_consistent(symbol: str, start: datetime, minutes: int) -> None:
    for bar in MARKET.bars(symbol, start, start + timedelta(minutes=minutes)):
        assert bar.low <= min(bar.open, bar.close, bar.vwap)
        assert bar.high >= max(bar.open, bar.close, bar.vwap)
        assert bar.volume >= 0


@pytest.mark.parametrize(
    ("start", "length", "count", "bar_seconds"),
    [
        ("12:00:00", timedelta(minutes=30), 360, 5),
        ("12:00:00", timedelta(minutes=31), 31, 60),
        ("12:00:03", timedelta(seconds=10), 1, 5),  # only whole bars: 12:00:05 to 12:00:10
        ("12:00:03", timedelta(seconds=6), 0, 5),
        ("12:00:30", timedelta(minutes=31), 30, 60),
        ("12:00:00", timedelta(0), 0, 5),
    ],
)
def test_bars_began_and_ended_inside_the_window(
    start: str, length: timedelta, count: int, bar_seconds: int
) -> None:
    begin = datetime.fromisoformat(f"2026-11-20T{start}+00:00")
    bars = MARKET.bars("AAPL", begin, begin + length)

    assert len(bars) == count
    assert all(bar.length == timedelta(seconds=bar_seconds) for bar in bars)
    assert all(begin <= bar.start and bar.end <= begin + length for bar in bars)
    assert all(first.end == second.start for first, second in pairwise(bars))


def test_a_minute_sums_up_its_five_second_bars() -> None:
    fine = MARKET.bars("AAPL", NOON, NOON + timedelta(minutes=1))
    minute = MARKET.printing("AAPL", NOON)

    assert minute is not None
    assert minute.volume == volume(fine)
    assert (minute.open, minute.close) == (fine[0].open, fine[-1].close)
    assert minute.low == min(bar.low for bar in fine)
    assert minute.high == max(bar.high for bar in fine)
    assert abs(minute.vwap - (vwap(fine) or 0)) < Decimal("0.001")


def test_a_day_has_the_average_volume_in_a_u() -> None:
    days = [
        MARKET.bars("AAPL", start, start + DAY)
        for start in (NOON.replace(hour=0) + DAY * n for n in range(2))
    ]
    hours = [[volume(bars[60 * hour : 60 * hour + 60]) for hour in range(24)] for bars in days]

    assert fmean(map(sum, hours)) == pytest.approx(20_000_000, rel=0.02)
    for shape in hours:
        assert 1.7 < shape[0] / (sum(shape) / 24) < 2.1
        assert 0.4 < shape[12] / (sum(shape) / 24) < 0.6
        assert 1.7 < shape[23] / (sum(shape) / 24) < 2.1


def test_the_price_moves_by_the_daily_volatility_and_stays_near_its_base() -> None:
    mids = []
    for n in range(4000):
        quote = MARKET.quote("AAPL", NOON + n * timedelta(hours=6.1))
        assert quote is not None
        mids.append(float(quote.mid))
    returns = [later / earlier - 1 for earlier, later in zip(mids, mids[4:], strict=False)]

    assert pstdev(returns) == pytest.approx(0.02, rel=0.15)
    assert max(abs(mid / 150 - 1) for mid in mids) < 0.053


@pytest.mark.parametrize(
    ("changes", "same"),
    [({}, True), ({"seed": 8}, False)],
)
def test_the_seed_makes_the_market(changes: dict[str, object], same: bool) -> None:
    other = market(**changes)

    assert (other.quote("AAPL", NOON) == MARKET.quote("AAPL", NOON)) == same
    assert (other.quote("XYZ", NOON) == MARKET.quote("XYZ", NOON)) == same


def test_without_volatility_the_price_is_the_configured_one() -> None:
    flat = market(daily_volatility=0, prices={"T": Decimal(17)}, spread_bps=0)

    for hours in range(48):
        quote = flat.quote("T", NOON + timedelta(hours=hours))
        assert quote is not None
        assert (quote.bid, quote.ask) == (Decimal(17), Decimal("17.01"))


SHOW = """
from datetime import datetime, timedelta
from deepstack.config import Config, Paper
from deepstack.config_market import Market, Simulated
from execution.market.simulated import SimulatedMarket
config = Config(market=Market(simulated=Simulated(seed=7)), paper=Paper(displayed_shares=500))
market = SimulatedMarket(config)
at = datetime.fromisoformat("2026-11-20T12:00:00+00:00")
print([market.quote("XYZ", at + timedelta(seconds=7.3 * n)) for n in range(50)])
print(market.bars("XYZ", at, at + timedelta(hours=1)))
print(market.session(at))
import sys
print("pandas" in sys.modules)
"""


def test_every_process_sees_the_same_market() -> None:
    answers = {
        subprocess.run(
            [sys.executable, "-c", SHOW],
            check=True,
            capture_output=True,
            text=True,
            cwd=ROOT,
            env=os.environ | {"PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }

    assert len(answers) == 1
    quotes = [MARKET.quote("XYZ", NOON + timedelta(seconds=7.3 * n)) for n in range(50)]
    shown, *_, pandas_is_loaded = answers.pop().splitlines()
    assert shown == repr(quotes)
    # The import costs most of a second, which a send in a trial must not wait for.
    assert pandas_is_loaded == "False"
