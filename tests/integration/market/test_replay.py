import os
from bisect import bisect_right
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from django.core.management import call_command

from deepstack.config import ROOT, Config, Paper
from deepstack.config_market import Market, Replay
from deepstack.config_paper import PaperImpact
from execution.broker.base import Ticket
from execution.broker.paper_trader import PaperTrader
from execution.domain.lifecycle import SliceStatus
from execution.market.calendar import NEW_YORK
from execution.market.replay import ReplayMarket
from execution.models import Bar, CalendarOverride, PaperExecution, PaperOrder

pytestmark = [pytest.mark.django_db, pytest.mark.any_date]

DATA = Path(os.environ.get("DEEPSTACK_DATA", ROOT.parent / "shared" / "data"))
CONFIG = Config(
    market=Market(replay=Replay(spread_bps=Decimal(2), quote_grace_seconds=300)),
    paper=Paper(
        participation=Decimal("0.1"), displayed_shares=500, impact=PaperImpact(coefficient=0)
    ),
)
DAY = date(2024, 6, 12)


def at(text: str, day: date = DAY) -> datetime:
    return datetime.combine(day, time.fromisoformat(text), NEW_YORK).astimezone(UTC)


def store(*minutes: tuple[str, str, int], day: date = DAY, vwap: Decimal | None = None) -> None:
    """Bars of GWW: New York time, close, volume; each from fifty cents below to above."""
    half = Decimal("0.5")
    for minute, close, volume in minutes:
        price = Decimal(close)
        Bar.objects.create(
            symbol="GWW",
            start_at=at(minute, day),
            open=price,
            high=price + half,
            low=price - half,
            close=price,
            volume=volume,
            vwap=vwap,
        )


def ticket(client_order_id: str = "c1", quantity: int = 200, limit: str = "950") -> Ticket:
    return Ticket(client_order_id, "default", "GWW", "BUY", quantity, Decimal(limit))


@pytest.mark.parametrize(
    ("moment", "bid", "age_seconds"),
    [
        ("09:30:59", None, None),  # the first bar has not ended
        ("09:31:00", "911.91", 0),
        ("09:32:59", "911.91", 0),
        ("09:33:00", "909.91", 0),  # 09:31 had no trade
        ("09:38:00", "909.91", 0),  # five minutes of grace after 09:33
        ("09:39:30", "909.91", 90),
    ],
)
def test_a_quote_comes_from_the_last_bar_that_has_ended(
    moment: str, bid: str | None, age_seconds: int | None
) -> None:
    store(("09:30", "912", 100), ("09:32", "910", 100), ("09:45", "950", 100))
    quote = ReplayMarket(CONFIG).quote("GWW", at(moment))

    assert (quote and quote.bid) == (bid and Decimal(bid))
    if quote:
        assert quote.ask - quote.bid == Decimal("0.18")
        assert (at(moment) - quote.at).total_seconds() == age_seconds


def test_before_the_first_bar_the_last_close_shows_its_age() -> None:
    store(("15:59", "900", 100), day=date(2024, 6, 7))
    store(("09:30", "912", 100))

    quote = ReplayMarket(CONFIG).quote("GWW", at("09:30:10"))
    assert quote is not None
    assert quote.bid == Decimal("899.91")
    assert quote.at == at("16:05", date(2024, 6, 7))
    assert ReplayMarket(CONFIG).quote("TYL", at("09:30:10")) is None


def test_bars_began_and_ended_inside_the_window() -> None:
    store(*((f"09:{minute}", "912", minute) for minute in range(30, 36)))
    market = ReplayMarket(CONFIG)

    def volumes(start: str, end: str) -> list[int]:
        return [bar.volume for bar in market.bars("GWW", at(start), at(end))]

    assert volumes("09:30", "09:33") == [30, 31, 32]
    assert volumes("09:30:01", "09:32:59") == [31]
    assert volumes("09:36", "09:50") == []
    several_days = market.bars("GWW", at("09:34") - timedelta(days=3), at("09:36"))
    assert [bar.volume for bar in several_days] == list(range(30, 36))


@pytest.mark.parametrize(("vwap", "seen"), [(None, "912"), ("914", "914")])
def test_a_missing_vwap_is_the_typical_price(vwap: str | None, seen: str) -> None:
    store(("09:30", "912", 100), vwap=vwap and Decimal(vwap))  # type: ignore[arg-type]

    [bar] = ReplayMarket(CONFIG).bars("GWW", at("09:30"), at("09:31"))
    assert bar.vwap == Decimal(seen)


def test_the_future_changes_no_answer() -> None:
    store(*((f"09:{minute}", f"{900 + minute}", minute) for minute in range(30, 40)))
    moments = [at("09:30") + timedelta(seconds=7 * n) for n in range(40)]  # up to 09:34:33

    def answers() -> list[object]:
        market = ReplayMarket(CONFIG)
        return [(market.quote("GWW", now), market.bars("GWW", at("09:30"), now)) for now in moments]

    before = answers()
    Bar.objects.filter(start_at__gte=at("09:34")).update(close=1, low=1, open=1, volume=10**6)
    Bar.objects.filter(start_at__gte=at("09:37")).delete()
    assert answers() == before
    Bar.objects.filter(start_at=at("09:33")).update(close=1, low=1)
    assert answers() != before


def test_a_day_is_read_once() -> None:
    store(("09:30", "912", 100))
    market = ReplayMarket(CONFIG)
    before = market.quote("GWW", at("09:31"))
    Bar.objects.all().delete()

    assert market.quote("GWW", at("09:31")) == before


def test_a_day_that_is_loaded_later_is_noticed() -> None:
    market = ReplayMarket(CONFIG)
    assert market.quote("GWW", at("09:31")) is None
    store(("09:30", "912", 100))

    assert market.quote("GWW", at("09:31")) is not None


def test_the_override_table_moves_the_session() -> None:
    CalendarOverride.objects.create(day=DAY, close=time(13), reason="a storm")
    CalendarOverride.objects.create(day=DAY + timedelta(days=1), closed=True, reason="a storm")
    market = ReplayMarket(CONFIG)

    session = market.session(at("12:00"))
    assert session is not None
    assert session.close == at("13:00")
    assert market.next_session(at("12:00")).day == DAY + timedelta(days=2)


@pytest.mark.parametrize(
    ("in_progress", "limit", "filled", "price"),
    [
        (("10:01", "912", 1000), "950", 200, "912.09"),  # the touch is in the minute's range
        (("10:01", "914", 1000), "950", 200, "913.5"),  # the market has risen: its low
        (("10:01", "911", 1000), "950", 200, "911.5"),  # it has fallen: its high
        (("10:01", "914", 1000), "913.4", 0, None),  # the limit says no
        (("10:01", "912", 60), "950", 60, "912.09"),  # no more than the minute trades
        (("10:02", "912", 1000), "950", 0, None),  # nothing trades in this minute
    ],
)
def test_an_arrival_fills_inside_the_minute_in_progress(
    in_progress: tuple[str, str, int], limit: str, filled: int, price: str | None
) -> None:
    store(("10:00", "912", 1000), in_progress)
    answer = PaperTrader(config=CONFIG, market=ReplayMarket(CONFIG)).place(
        ticket(limit=limit), now=at("10:01:20")
    )

    assert answer.filled_quantity == filled
    assert [execution.price for execution in answer.executions] == (
        [Decimal(price)] if price else []
    )


def test_an_arrival_in_a_silent_minute_is_served_by_the_next_trades() -> None:
    store(("10:00", "912", 1000), ("10:04", "912", 150), ("10:05", "913", 1000))
    paper = PaperTrader(config=CONFIG, market=ReplayMarket(CONFIG))
    placed = paper.place(ticket(), now=at("10:01:20"))
    waiting = paper.find("c1", now=at("10:04:59"))
    served = paper.find("c1", now=at("10:05"))
    done = paper.find("c1", now=at("10:06"))

    assert placed == waiting
    assert served is not None
    assert [(fill.quantity, fill.price) for fill in served.executions] == [(150, Decimal(912))]
    assert done is not None
    assert (done.status, done.executions[-1].quantity) == (SliceStatus.FILLED, 50)


def test_a_thin_tape_serves_a_share_when_it_has_added_up() -> None:
    store(("10:00", "912", 1000), *((f"10:{minute:02}", "912", 4) for minute in range(2, 10)))
    paper = PaperTrader(config=CONFIG, market=ReplayMarket(CONFIG))
    paper.place(ticket(limit="912.00"), now=at("10:01:30"))

    def filled(moment: str) -> int:
        [order] = paper.reports("default", at("10:00"), now=at(moment))
        return order.filled_quantity

    assert [filled(f"10:{minute:02}") for minute in range(3, 11)] == [0, 0, 1, 1, 1, 2, 2, 2]


def test_a_stale_quote_fills_nothing_at_once() -> None:
    store(("10:00", "912", 1000), ("10:20", "930", 1000))
    paper = PaperTrader(config=CONFIG, market=ReplayMarket(CONFIG))

    assert paper.place(ticket(), now=at("10:20:30")).executions == ()


def filled_in(minute: str) -> int:
    """Shares of all paper orders that are stamped inside one minute."""
    start = at(minute)
    inside = PaperExecution.objects.filter(
        executed_at__gte=start, executed_at__lt=start + timedelta(minutes=1)
    )
    return sum(inside.values_list("quantity", flat=True))


def test_orders_that_arrive_in_one_minute_share_its_volume() -> None:
    store(("09:30", "912", 5_000), ("09:31", "912", 1_696), ("09:32", "912", 50_000))
    paper = PaperTrader(config=CONFIG, market=ReplayMarket(CONFIG))
    seen = [
        paper.place(ticket(f"c{second}", 1_500), now=at("09:31") + timedelta(seconds=second))
        for second in range(1, 21)
    ]
    assert filled_in("09:31") == sum(order.filled_quantity for order in seen) == 1_696
    assert [order.status for order in seen[-3:]] == [SliceStatus.WORKING] * 3
    # The rest waits for the minutes to come, a tenth of whose volume resting orders get.
    paper.reports("default", at("09:30"), now=at("09:33"))
    assert filled_in("09:32") == 5_000
    assert filled_in("09:31") == 1_696


def test_resting_orders_get_what_arriving_ones_left_of_the_minute() -> None:
    store(("09:30", "912", 5_000), ("09:31", "912", 1_000), ("09:32", "912", 1_000))
    paper = PaperTrader(config=CONFIG, market=ReplayMarket(CONFIG))
    paper.place(ticket("resting", 900, limit="911.90"), now=at("09:31"))
    PaperOrder.objects.update(limit_price=950, queue_ahead=0)  # the market has come to it
    paper.place(ticket("arriving", 960), now=at("09:31") + timedelta(seconds=30))
    paper.reports("default", at("09:30"), now=at("09:33"))
    assert filled_in("09:31") == 1_000  # 960, and 40 instead of the usual 100
    assert filled_in("09:32") == 100


@pytest.mark.skipif(not DATA.is_dir(), reason="the folder of market data is not here")
def test_fills_on_real_bars_lie_in_their_ranges() -> None:
    """A buy and a sell of 100 every minute from 10:00 to 11:00, each alive for five minutes."""
    file = DATA / "us_midcaps_2024_1min.csv.gz"
    call_command("load_bars", str(file), "--symbol", "GWW", "--date", str(DAY), verbosity=0)
    market = ReplayMarket(CONFIG)
    paper = PaperTrader(config=CONFIG, market=market)
    for minute in range(65):
        now = at("10:00") + timedelta(minutes=minute, seconds=13)
        paper.reports("default", now, now=now)
        if minute >= 5:
            paper.cancel(f"BUY-{minute - 5}", now=now)
            paper.cancel(f"SELL-{minute - 5}", now=now)
        for side, limit in (("BUY", "990.00"), ("SELL", "840.00")):
            if minute < 60:
                order = Ticket(f"{side}-{minute}", "default", "GWW", side, 100, Decimal(limit))
                paper.place(order, now=now)

    bars = list(Bar.objects.filter(start_at__lt=at("12:00")).order_by("start_at"))
    starts = [bar.start_at for bar in bars]
    orders = paper.reports("default", at("09:30"), now=at("11:10"))
    fills = [fill for order in orders for fill in order.executions]
    assert len(orders) == 120
    assert not [order for order in orders if order.status == SliceStatus.WORKING]
    assert sum(fill.quantity for fill in fills) > 9000
    for fill in fills:
        bar = bars[bisect_right(starts, fill.executed_at) - 1]
        assert fill.executed_at < bar.start_at + timedelta(minutes=1)
        assert bar.low <= fill.price <= bar.high


def test_below_a_dollar_a_quote_is_told_in_hundredths_of_a_cent() -> None:
    price = Decimal("0.4566")
    Bar.objects.create(
        symbol="GWW",
        start_at=at("09:30"),
        open=price,
        high=price,
        low=price,
        close=price,
        volume=1_000,
    )
    quote = ReplayMarket(CONFIG).quote("GWW", at("09:31"))
    assert quote is not None
    assert (quote.bid, quote.ask) == (price, Decimal("0.4567"))
