from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from execution.broker.paper.matching_rules import (
    PaperFill,
    Resting,
    commission_due,
    match,
    take_from_book,
)
from execution.market.base import Quote, TapeBar

AT = datetime(2024, 6, 12, 14, 0, 20, tzinfo=UTC)
NEXT = datetime(2024, 6, 12, 14, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def quote(bid: str = "99.98", ask: str = "100.02", size: int = 500) -> Quote:
    return Quote("GWW", AT, Decimal(bid), Decimal(ask), size, size)


def bar(
    *,
    volume: int = 1000,
    vwap: str = "100",
    low: str = "99",
    high: str = "101",
    start: datetime = NEXT,
) -> TapeBar:
    prices = Decimal(low), Decimal(high), Decimal(low), Decimal(high)
    return TapeBar("GWW", start, MINUTE, *prices, volume=volume, vwap=Decimal(vwap))


def order(leaves: int, limit: str = "100.50", side: str = "BUY", **extra: object) -> Resting:
    return Resting(side=side, limit=Decimal(limit), leaves=leaves, since=NEXT, **extra)  # type: ignore[arg-type]


def told(fills: list[PaperFill]) -> list[tuple[int, str]]:
    return [(fill.quantity, f"{fill.price:f}") for fill in fills]


@pytest.mark.parametrize(
    ("side", "quantity", "limit", "expected"),
    [
        ("BUY", 300, "101", [(300, "100.02")]),  # inside the displayed size: the touch
        ("SELL", 300, "99", [(300, "99.98")]),
        ("BUY", 700, "101", [(500, "100.02"), (200, "100.04")]),  # then half a spread worse
        ("SELL", 700, "99", [(500, "99.98"), (200, "99.96")]),
        ("BUY", 9000, "101", [(500, "100.02"), (500, "100.04"), (500, "100.06")]),  # no deeper
        ("BUY", 700, "100.03", [(500, "100.02")]),  # the limit says no
        ("BUY", 300, "100.02", [(300, "100.02")]),
        ("BUY", 300, "100.01", []),
        ("SELL", 300, "99.99", []),
    ],
)
def test_an_arriving_order_takes_from_the_book(
    side: str, quantity: int, limit: str, expected: list[tuple[int, str]]
) -> None:
    fills = take_from_book(side=side, quantity=quantity, limit=Decimal(limit), quote=quote(), at=AT)

    assert told(fills) == expected
    assert all(fill.at == AT for fill in fills)


@pytest.mark.parametrize(
    ("side", "bid", "ask", "expected"),
    [
        ("BUY", "0.4566", "0.4567", [(5, "0.4567"), (5, "0.4568"), (5, "0.4569")]),
        ("BUY", "0.4566", "0.4570", [(5, "0.4570"), (5, "0.4572"), (5, "0.4574")]),
        ("SELL", "0.0002", "0.0003", [(5, "0.0002"), (5, "0.0001")]),  # never at zero
        ("BUY", "0.9998", "0.9999", [(5, "0.9999"), (5, "1.00"), (5, "1.01")]),  # the dollar
        ("SELL", "1.00", "1.01", [(5, "1.00"), (5, "0.99"), (5, "0.98")]),
    ],
)
def test_each_level_of_the_book_is_on_the_grid_of_its_price(
    side: str, bid: str, ask: str, expected: list[tuple[int, str]]
) -> None:
    limit = Decimal("2") if side == "BUY" else Decimal("0.0001")
    fills = take_from_book(
        side=side, quantity=15, limit=limit, quote=quote(bid, ask, size=5), at=AT
    )
    assert [(fill.quantity, fill.price) for fill in fills] == [
        (shares, Decimal(price)) for shares, price in expected
    ]


@pytest.mark.parametrize(
    ("side", "limit", "printing", "expected"),
    [
        ("BUY", "101", bar(low="99", high="101"), [(500, "100.02"), (200, "100.04")]),
        ("BUY", "101", bar(low="99", high="100.03"), [(500, "100.02"), (200, "100.03")]),
        ("BUY", "101", bar(low="99", high="100"), [(700, "100")]),  # one price, one fill
        ("BUY", "101", bar(low="100.5", high="101"), [(700, "100.5")]),  # the market had risen
        ("BUY", "100.4", bar(low="100.5", high="101"), []),
        ("SELL", "99", bar(low="99", high="99.5"), [(700, "99.5")]),
        ("BUY", "101", bar(volume=40), [(40, "100.02")]),  # no more than traded
        ("BUY", "101", bar(volume=0), []),
    ],
)
def test_a_known_minute_bounds_price_and_size(
    side: str, limit: str, printing: TapeBar, expected: list[tuple[int, str]]
) -> None:
    fills = take_from_book(
        side=side, quantity=700, limit=Decimal(limit), quote=quote(), at=AT, printing=printing
    )

    assert told(fills) == expected


@pytest.mark.parametrize(
    ("resting", "bars", "expected"),
    [
        # orders, the tape, the fills of each order
        pytest.param([order(50)], [bar()], [[(50, "100.0000")]], id="within the budget"),
        pytest.param([order(500)], [bar()], [[(100, "100.0000")]], id="a tenth of the volume"),
        pytest.param([order(500, limit="99.99")], [bar()], [[]], id="traded above the limit"),
        pytest.param(
            [order(500, side="SELL", limit="100")], [bar()], [[(100, "100.0000")]], id="a sell"
        ),
        pytest.param(
            [order(500)], [bar(vwap="102")], [[]], id="an odd VWAP is moved into the range"
        ),
        pytest.param(
            [order(500, limit="101")], [bar(vwap="102")], [[(100, "101")]], id="and then compared"
        ),
        pytest.param(
            [order(500)], [bar(vwap="100.00001")], [[(100, "100.0001")]], id="rounded against us"
        ),
        pytest.param(
            [order(60), order(60)], [bar()], [[(60, "100.0000")], [(40, "100.0000")]],
            id="orders share one budget, the older first",
        ),
        pytest.param(
            [order(9)],
            [bar(volume=5, start=NEXT + n * MINUTE) for n in range(4)],
            [[(1, "100.0000"), (1, "100.0000")]],
            id="fractions are saved up",
        ),
        pytest.param(
            [order(500, awaits_print=True)], [bar(volume=300), bar(start=NEXT + MINUTE)],
            [[(300, "100.0000"), (100, "100.0000")]],
            id="an arrival that met no trade is served by the first one",
        ),
        pytest.param(
            [order(900, awaits_print=True), order(900, awaits_print=True)], [bar(volume=600)],
            [[(500, "100.0000")], [(100, "100.0000")]],
            id="no more than traded in all",
        ),
        pytest.param(
            [order(50, expires=NEXT)], [bar()], [[]], id="nothing after the order expired"
        ),
    ],
)  # fmt: skip
def test_open_orders_are_filled_from_the_tape(
    resting: list[Resting], bars: list[TapeBar], expected: list[list[tuple[int, str]]]
) -> None:
    match(resting, bars, participation=Decimal("0.1"), displayed=500)

    assert [told(order.fills) for order in resting] == expected


def test_a_bar_that_began_before_the_order_is_not_its() -> None:
    late = order(50)
    match([late], [bar(start=NEXT - MINUTE)], participation=Decimal("0.1"), displayed=500)

    assert late.fills == []


@pytest.mark.parametrize(
    ("volume", "limit", "starved"),
    [
        (9, "100.50", True),  # it traded within the limit, but a tenth is no share: kept for later
        (10, "100.50", False),
        (9, "99.00", False),  # it did not trade within the limit
    ],
)
def test_what_is_too_little_for_a_share_is_kept(volume: int, limit: str, starved: bool) -> None:
    resting = order(50, limit=limit)
    match([resting], [bar(volume=volume)], participation=Decimal("0.1"), displayed=500)

    assert resting.starved == starved


prices = st.decimals(min_value=95, max_value=105, places=2)


@st.composite
def tapes(draw: st.DrawFn) -> list[TapeBar]:
    bars = []
    for n in range(draw(st.integers(1, 8))):
        low, high = sorted((draw(prices), draw(prices)))
        bars.append(
            TapeBar(
                "GWW", NEXT + n * MINUTE, MINUTE, low, high, low, high,
                volume=draw(st.integers(0, 5000)), vwap=draw(prices),
            )
        )  # fmt: skip
    return bars


orders = st.builds(
    Resting,
    side=st.sampled_from(["BUY", "SELL"]),
    limit=prices,
    leaves=st.integers(1, 3000),
    since=st.sampled_from([NEXT + n * MINUTE for n in range(4)]),
    awaits_print=st.booleans(),
)


@settings(deadline=None)
@given(st.lists(orders, min_size=1, max_size=4), tapes())
def test_fills_keep_to_size_limit_range_and_volume(
    resting: list[Resting], bars: list[TapeBar]
) -> None:
    wanted = [order.leaves for order in resting]
    match(resting, bars, participation=Decimal("0.1"), displayed=500)

    for quantity, order_ in zip(wanted, resting, strict=True):
        assert order_.leaves >= 0
        assert sum(fill.quantity for fill in order_.fills) == quantity - order_.leaves
    for bar_ in bars:
        inside = [
            (order_, fill)
            for order_ in resting
            for fill in order_.fills
            if bar_.start <= fill.at < bar_.end
        ]
        assert sum(fill.quantity for _, fill in inside) <= bar_.volume
        for order_, fill in inside:
            assert bar_.low <= fill.price <= bar_.high
            assert (
                fill.price <= order_.limit if order_.side == "BUY" else fill.price >= order_.limit
            )
            assert bar_.start >= order_.since


@settings(deadline=None)
@given(st.lists(orders, min_size=1, max_size=4), tapes())
def test_participation_is_kept_over_the_whole_tape(
    resting: list[Resting], bars: list[TapeBar]
) -> None:
    for order_ in resting:
        order_.awaits_print = False
    match(resting, bars, participation=Decimal("0.1"), displayed=500)

    taken = sum(fill.quantity for order_ in resting for fill in order_.fills)
    assert taken <= Decimal("0.1") * sum(bar_.volume for bar_ in bars)


@pytest.mark.parametrize(
    ("filled", "due"), [(0, "0"), (1, "1"), (200, "1"), (201, "1.005"), (10_000, "50")]
)
def test_commission_has_a_minimum_per_order(filled: int, due: str) -> None:
    charged = commission_due(filled, per_share=Decimal("0.005"), minimum=Decimal(1))

    assert charged == Decimal(due)
