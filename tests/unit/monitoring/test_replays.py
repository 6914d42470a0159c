"""An order worked again on a recorded tape: what fills, what it costs, and that nothing is random
and nothing is known too early."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from execution.domain.algorithms.registry import ALGOS
from execution.domain.own_impact import Liquidity
from execution.domain.participation import Pace
from execution.market.base import TapeBar
from monitoring.replays import outcome
from monitoring.replays.exchange import Exchange, Market
from monitoring.replays.outcome import Outcome
from monitoring.replays.tape import Tape, quotes_of
from monitoring.replays.working import Expected, Terms, work
from tests.unit.domain.days import CLOSE, OPEN, at, spec

D = Decimal
MINUTE = timedelta(minutes=1)
USUAL = 2_000  # shares a minute
HUNDRED = D(100)
FREE = Market(participation=D("0.1"), displayed=500)
MOVING = replace(
    FREE, coefficient=1.0, liquidity=Liquidity(daily_volume=390 * USUAL, daily_volatility=0.02)
)
START, END = at(60), at(120)
SCHEDULED = ("TWAP", "VWAP", "POV", "IS")


def bar(minute: int, price: Decimal = HUNDRED, volume: int = USUAL) -> TapeBar:
    """Its trades lie within five cents of the price, their average is the price."""
    low, high = price - D("0.05"), price + D("0.05")
    return TapeBar("AAPL", at(minute), MINUTE, price, high, low, price, volume, price)


FLAT = [bar(minute) for minute in range(390)]
RISING = [bar(minute, HUNDRED + D("0.01") * minute) for minute in range(390)]


def tape(bars: Sequence[TapeBar] = FLAT) -> Tape:
    return Tape(bars, quotes_of(bars, spread_bps=2.0, displayed=500))


def terms(algorithm: str, quantity: int = 6_000, side: str = "BUY", **more: Any) -> Terms:
    """Over an hour; MARKET in one minute."""
    end = at(61) if algorithm == "MARKET" else END
    window = {"start": START, "end": end} | more.pop("window", {})
    slices = 1 if algorithm in ("MARKET", "LIMIT") else 12
    plan = {"seed": 5, "jitter": timedelta(seconds=30), "participation": 0.1, **window}
    usual: dict[str, Any] = {
        "tolerance_bps": D(50 if algorithm == "MARKET" else 10),
        "collar": D("0.05"),
        "expected": Expected(390.0 * USUAL, None) if algorithm in ("VWAP", "POV") else None,
        "pace": Pace(0.1, 0.125) if algorithm == "POV" else None,
    }
    return Terms(algorithm, side, spec(quantity, slices, **plan), **usual | more)


def cost(way: Terms, day: Tape, market: Market = FREE) -> Outcome:
    arrival = final = day.mid(START)
    assert arrival is not None
    final = day.mid(END)
    assert final is not None
    return outcome.of(way, work(way, day, market), day, arrival=arrival, final=final)


@pytest.mark.parametrize("side", ["BUY", "SELL"])
@pytest.mark.parametrize("algorithm", SCHEDULED)
def test_on_a_still_market_a_schedule_pays_half_the_spread(algorithm: str, side: str) -> None:
    found = cost(terms(algorithm, side=side), tape())
    assert found.filled_quantity == 6_000
    assert found.arrival_bps == pytest.approx(found.shortfall_bps)
    assert found.vwap_bps == pytest.approx(found.shortfall_bps)
    assert 1 <= found.shortfall_bps < 2  # children of a part of the displayed size, or all of it
    assert found.participation == D(6_000) / (60 * USUAL)


def test_a_large_order_at_once_gets_what_the_book_shows() -> None:
    """Three levels of 500 shares, each a cent worse, and a tenth of its minute at the average."""
    done = work(terms("MARKET"), tape(), FREE)
    assert [(fill.quantity, fill.price) for fill in done.fills] == [
        (500, D("100.01")), (500, D("100.02")), (500, D("100.03")), (200, D("100")),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("algorithm", "later"),
    [("MARKET", False), ("TWAP", True), ("VWAP", True), ("IS", True)],
)
def test_who_waits_pays_for_a_rising_price(algorithm: str, *, later: bool) -> None:
    """0.6 % in the hour; what is left at its end costs all of it."""
    found = cost(terms(algorithm, quantity=600), tape(RISING))
    assert found.filled_quantity == 600
    assert (found.shortfall_bps > 20) is later
    sold = cost(terms(algorithm, quantity=600, side="SELL"), tape(RISING))
    assert (sold.shortfall_bps < -20) is later


def test_what_is_left_costs_what_the_price_ran_away() -> None:
    way = terms("LIMIT", quantity=600)
    found = cost(way, tape(RISING))
    arrival, final = tape(RISING).mid(START), tape(RISING).mid(END)
    assert arrival is not None
    assert final is not None
    assert (found.filled_quantity, found.arrival_bps, found.average_price) == (0, None, None)
    assert found.shortfall_bps == pytest.approx((final / arrival - 1) * 10_000)


def test_a_resting_order_waits_behind_the_displayed_size_and_keeps_half_the_spread() -> None:
    """A tenth of each minute that trades at its limit; the 500 shares ahead of it come first."""
    at_bid = [bar(k, D("99.99") if k > 60 else HUNDRED) for k in range(390)]
    done = work(terms("LIMIT", quantity=1_000), tape(at_bid), FREE)
    assert [fill.quantity for fill in done.fills] == [100, 200, 200, 200, 200, 100]
    assert {fill.price for fill in done.fills} == {D("99.99")}
    assert done.fills[0].at == at(63.5)


@pytest.mark.parametrize("algorithm", ALGOS)
def test_no_share_is_bought_beyond_the_limit(algorithm: str) -> None:
    limit = D("100.75")
    done = work(terms(algorithm, limit=limit), tape(RISING), MOVING)
    assert done.fills
    assert max(fill.price for fill in done.fills) <= limit
    assert max(child.limit for child in done.children) <= limit


@pytest.mark.parametrize("algorithm", ["TWAP", "VWAP", "IS"])
def test_a_cap_holds_at_every_send(algorithm: str) -> None:
    way = terms(algorithm, quantity=12_000, pace=Pace(0.05, 0.05))
    done = work(way, tape(), FREE)
    for child in done.children:
        before = sum(fill.quantity for fill in done.fills if fill.at < child.at)
        traded = ((child.at - START) // MINUTE) * USUAL
        assert before + child.quantity <= 0.05 * traded + 1
    assert 0.04 < done.filled / (60 * USUAL) <= 0.05


def test_pov_is_its_share_of_the_market() -> None:
    done = work(terms("POV", quantity=100_000), tape(), FREE)
    assert 0.085 < done.filled / (60 * USUAL) <= 0.1


@pytest.mark.parametrize("algorithm", [*SCHEDULED, "MARKET"])
def test_impact_costs_more_the_larger_the_order(algorithm: str) -> None:
    free, *moved = [
        cost(terms(algorithm, quantity=size), tape(), market)
        for size, market in ((300, FREE), (300, MOVING), (1_500, MOVING))
    ]
    costs = [each.arrival_bps for each in (free, *moved)]
    assert all(each is not None for each in costs)
    assert costs == sorted(costs)
    assert len(set(costs)) == 3


def test_slicing_a_large_order_pays_where_impact_decays() -> None:
    """1,500 shares, all that the book shows: 2 % of an average hour."""
    at_once, sliced = (cost(terms(name, 1_500), tape(), MOVING) for name in ("MARKET", "TWAP"))
    assert at_once.filled_quantity == sliced.filled_quantity == 1_500
    assert at_once.shortfall_bps > sliced.shortfall_bps


def test_each_child_pays_its_commission() -> None:
    market = replace(FREE, commission_per_share=D("0.005"), minimum_commission=D(1))
    found = cost(terms("TWAP", quantity=600), tape(), market)
    assert (found.children, found.fees) == (12, D(12))
    assert found.shortfall_bps == 1 + D(12) / (600 * HUNDRED) * 10_000


def days(count: int) -> list[Exchange]:
    """Orders of both sides, some at the same time, by every algorithm on each of many days."""
    done = []
    for day in range(count):
        bars = [
            bar(k, HUNDRED + D(k * (7 + day) % 29) / 100, 500 + k * 37 % 4_000) for k in range(390)
        ]
        for number, algorithm in enumerate(ALGOS):
            for side in ("BUY", "SELL"):
                start = at(20 * number)
                window = {
                    "start": start,
                    "end": start + 2 * (END - START),
                    "seed": day * 31 + number,
                }
                done.append(work(terms(algorithm, 5_000, side, window=window), tape(bars), MOVING))
    return done


def test_many_orders_of_many_days_end_alike_again() -> None:
    first, again = days(4), days(4)
    assert [(each.fills, each.children) for each in first] == [
        (each.fills, each.children) for each in again
    ]
    assert len(first) == 48
    assert all(each.filled for each in first)


def test_another_seed_is_another_plan() -> None:
    one, other = (
        work(terms("TWAP", window={"seed": seed}), tape(), FREE).children for seed in (1, 2)
    )
    assert [child.at for child in one] != [child.at for child in other]


@given(
    algorithm=st.sampled_from(list(ALGOS)),
    minute=st.integers(60, 119),
    factor=st.floats(0.2, 5),
    rise=st.integers(-200, 200),
)
@settings(deadline=None, max_examples=30)
def test_another_future_leaves_every_child_as_it_was(
    algorithm: str, minute: int, factor: float, rise: int
) -> None:
    """Fills know the rest of their minute, decisions do not."""
    other = [
        each if k < minute else bar(k, each.close + D(rise) / 100, int(each.volume * factor))
        for k, each in enumerate(RISING)
    ]
    way = terms(algorithm)
    one, two = (work(way, tape(bars), MOVING).children for bars in (RISING, other))
    known = at(minute)
    assert [each for each in one if each.at < known] == [each for each in two if each.at < known]


def test_the_quote_before_the_first_bar_is_the_one_at_arrival() -> None:
    way = terms("TWAP", window={"start": OPEN, "end": CLOSE})
    known = tape().quote(START)
    quotes = quotes_of(FLAT, spread_bps=2.0, displayed=500, before=known)
    done = work(way, Tape(FLAT, quotes), FREE)
    assert done.children[0].at < at(1)
    assert work(way, tape(), FREE).children[0].at == at(1)
