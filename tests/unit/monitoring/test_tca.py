"""The worked examples of the cost analysis, to the digit, and what holds for any order."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execution.market.base import TapeBar
from monitoring.reporting import spread_capture, tca
from monitoring.reporting.tca import Bin, Executed

D = Decimal

BUY, SELL = 1, -1


def executed(*trades: tuple[int, str], fees: str = "0") -> Executed:
    return Executed(
        quantity=sum(quantity for quantity, _ in trades),
        value=sum((quantity * D(price) for quantity, price in trades), D(0)),
        fees=D(fees),
    )


EIGHT_FILLS = executed(*[(500, "10"), (500, "11")] * 4, fees="80")
PART_OF_A_SELL = executed((3000, "49.88"), (3000, "49.80"), (2000, "49.70"), fees="35")
TAPE = [
    Bin(20_000, D("49.88")),
    Bin(10_000, D("49.80")),
    Bin(5_000, D("49.78")),
    Bin(5_000, D("49.72")),
    Bin(10_000, D("49.60")),
]
AVERAGE = D("49.805")


@pytest.mark.parametrize(
    ("side", "ordered", "done", "prices", "parts", "total", "bps"),
    [
        pytest.param(
            BUY, 5_000, EIGHT_FILLS, ("10", "10.25", "11"),
            ("1250", "1000", "750", "80"), "3080", "616",
            id="a buy that fills in part while the price runs away",
        ),
        pytest.param(
            SELL, 10_000, PART_OF_A_SELL, ("50", "49.90", "49.50"),
            ("1000", "760", "800", "35"), "2595", "51.9",
            id="a sell into a falling price",
        ),
        pytest.param(
            BUY, 100, Executed(), ("10", "10", "10.50"),
            ("0", "0", "50", "0"), "50", "500",
            id="nothing executed: all of it is opportunity cost",
        ),
        pytest.param(
            BUY, 100, executed((100, "9.90")), ("10", "10", "9"),
            ("0", "-10", "0", "0"), "-10", "-100",
            id="a better price is a negative cost; the end price is of no account once filled",
        ),
    ],
)  # fmt: skip
def test_shortfall(
    side: int,
    ordered: int,
    done: Executed,
    prices: tuple[str, str, str],
    parts: tuple[str, str, str, str],
    total: str,
    bps: str,
) -> None:
    decision, arrival, final = map(D, prices)
    cost = tca.shortfall(side, ordered, done, decision=decision, arrival=arrival, final=final)
    assert (cost.delay, cost.trading, cost.opportunity, cost.fees) == tuple(map(D, parts))
    assert cost.total == D(total)
    assert cost.bps == D(bps)


def test_benchmarks_of_the_sell() -> None:
    done, tape = PART_OF_A_SELL, TAPE
    assert done.average_price == AVERAGE
    vwap, twap, pwp = tca.vwap(tape), tca.twap(tape), tca.pwp(done.quantity, D("0.2"), tape)
    assert (vwap, twap, pwp) == (D("49.782"), D("49.756"), D("49.8275"))
    assert rounded(tca.cost_bps(SELL, AVERAGE, vwap)) == D("-4.620")
    assert rounded(tca.cost_bps(SELL, AVERAGE, twap)) == D("-9.848")
    assert rounded(tca.cost_bps(SELL, AVERAGE, pwp)) == D("4.516")
    assert rounded(tca.cost_bps(SELL, AVERAGE, D("49.90"))) == D("19.038")
    assert tca.participation(done.quantity, tape) == D("0.16")
    assert tca.relative_performance(SELL, AVERAGE, tape) == D("0.60")


def test_spreads_of_a_buy_inside_the_spread() -> None:
    price, bid, ask, later = D("100.03"), D("100.00"), D("100.04"), D("100.05")
    assert rounded(tca.quoted_spread_bps(bid, ask)) == D("3.999")
    assert rounded(tca.effective_spread_bps(BUY, price, bid, ask)) == D("2.000")
    assert rounded(tca.realised_spread_bps(BUY, price, bid, ask, later)) == D("-3.999")
    assert rounded(tca.price_impact_bps(BUY, bid, ask, later)) == D("5.999")
    assert tca.spread_capture(BUY, price, bid, ask) == D("0.25")
    assert tca.spread_capture(SELL, price, bid, ask) == D("0.75")


def test_a_price_that_comes_back_after_a_buy_is_a_cost() -> None:
    assert tca.reversion_bps(BUY, D(100), D("100.10"), D("100.04")) == D(6)
    assert tca.reversion_bps(SELL, D(100), D("100.10"), D("100.04")) == D(-6)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(tca.vwap([]), id="no VWAP without bars"),
        pytest.param(tca.vwap([Bin(0, D(10))]), id="no VWAP without volume"),
        pytest.param(tca.twap([]), id="no TWAP without bars"),
        pytest.param(tca.participation(100, []), id="no participation without volume"),
        pytest.param(tca.relative_performance(BUY, D(10), []), id="no RPM without volume"),
        pytest.param(tca.pwp(100, D("0.2"), [Bin(499, D(10))]), id="too little traded for PWP"),
        pytest.param(tca.pwp(0, D("0.2"), TAPE), id="no PWP of nothing"),
        pytest.param(tca.cost_bps(BUY, None, D(10)), id="no cost of nothing"),
        pytest.param(tca.cost_bps(BUY, D(10), None), id="no cost against nothing"),
        pytest.param(tca.spread_capture(BUY, D(10), D(10), D(10)), id="a locked market"),
    ],
)
def test_what_the_market_does_not_tell_is_none(answer: object) -> None:
    assert answer is None


def test_pwp_uses_the_last_bin_in_part() -> None:
    # 20 shares at a fifth are 100 of the market's: 60 at 10 and 40 of the 100 at 11.
    tape = [Bin(60, D(10)), Bin(100, D(11))]
    assert tca.pwp(20, D("0.2"), tape) == D("10.4")


prices = st.decimals(min_value=D("0.0001"), max_value=D(100_000), places=4)
trades = st.lists(st.tuples(st.integers(1, 100_000), prices), max_size=8)


@given(
    side=st.sampled_from([BUY, SELL]),
    done=trades,
    missed=st.integers(0, 100_000),
    decision=prices,
    arrival=prices,
    final=prices,
    fees=st.decimals(min_value=0, max_value=1_000, places=2),
)
def test_the_parts_are_perolds_difference_between_paper_and_real(
    side: int,
    done: Sequence[tuple[int, D]],
    missed: int,
    decision: D,
    arrival: D,
    final: D,
    fees: D,
) -> None:
    """Perold: the gain of the paper portfolio, bought whole at the decision price, less the real
    one's, both valued at the end."""
    quantity = sum(shares for shares, _ in done)
    value = sum((shares * price for shares, price in done), D(0))
    ordered = quantity + missed
    cost = tca.shortfall(
        side, ordered, Executed(quantity, value, fees),
        decision=decision, arrival=arrival, final=final,
    )  # fmt: skip
    paper = side * ordered * (final - decision)
    real = side * (quantity * final - value) - fees
    assert cost.delay + cost.trading + cost.opportunity + cost.fees == paper - real


@given(
    average=prices,
    tape=st.lists(st.builds(Bin, st.integers(1, 10_000), prices), min_size=1, max_size=8),
)
def test_relative_performance_is_a_share_and_turns_round_with_the_side(
    average: D, tape: Sequence[Bin]
) -> None:
    buy, sell = (tca.relative_performance(side, average, tape) for side in (BUY, SELL))
    assert buy is not None
    assert sell is not None
    assert 0 <= buy <= 1
    assert abs(buy + sell - 1) < D("1e-20")


def rounded(value: D | None) -> D:
    assert value is not None
    return value.quantize(D("0.001"))


def test_of_a_bar_under_way_the_part_after_the_arrival_counts() -> None:
    at, minute = datetime(2026, 3, 2, 15, 0, tzinfo=UTC), timedelta(minutes=1)
    tape = [
        TapeBar("AAPL", at + minute * k, minute, *[D(10 + k)] * 4, 100, D(10 + k)) for k in range(3)
    ]
    bins = tca.after_arrival(tape, at + minute * 1.75)
    assert bins == [Bin(25, D(11)), Bin(100, D(12))]
    assert rounded(tca.vwap(bins)) == D("11.800")


@pytest.mark.parametrize(
    ("side", "rows", "kept"),
    [
        pytest.param(BUY, [(100, "10.00")], "1", id="bought at the bid"),
        pytest.param(SELL, [(100, "10.00")], "0", id="sold at it"),
        pytest.param(BUY, [(300, "10.02"), (100, "10.01")], "0.5625", id="by shares"),
        pytest.param(BUY, [(100, "10.06")], "-0.5", id="beyond the far touch"),
    ],
)
def test_spread_capture_is_the_mean_over_shares(side: int, rows: Any, kept: str) -> None:
    quote = {"bid": "10.00", "ask": "10.04"}
    known = [(shares, D(price), quote) for shares, price in rows]
    assert spread_capture.mean(side, [*known, (100, D(10), None)]) == D(kept)


def test_without_a_quote_nothing_is_known_of_the_spread() -> None:
    assert spread_capture.mean(BUY, [(100, D(10), None)]) is None
