"""The orders of a demonstration, and the proof that their fills are the market's."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db.models import Max

from execution.domain.exchange_time import day_begins, exchange_day, exchange_time
from execution.domain.session import Session
from execution.domain.volume_profile import U_SHAPE
from execution.market.base import MarketData, volume
from execution.market.calendar import NEW_YORK, new_york
from execution.models import Bar, Fill

SMALL, MEDIUM, LARGE = Decimal(5_000), Decimal(50_000), Decimal(500_000)  # dollars
TWAP_MINUTES, VWAP_MINUTES = 30, 60  # of the market
MOST_OF_VOLUME = Decimal("0.05")
TWAP_SLICES, VWAP_SLICES = 10, 12
SLICE_SECONDS = 3.0  # of real time: a child needs its time however fast the market runs

# In a thin market nobody trades for a quarter of an hour: the window grows before a rest is forced.
PATIENT_THEN_URGENT = {"residual": "EXTEND_FORCE", "residual_minutes": 20}
BRIEFLY_PATIENT = {"residual": "EXTEND_FORCE", "residual_minutes": 0.5, "max_extensions": 1}


class CannotDemonstrate(ValueError):
    """The market has not what the demonstration needs; the text says what."""


@dataclass(frozen=True, slots=True)
class Scenario:
    title: str
    signal: Mapping[str, object]


def guide_scenarios(minutes: float) -> list[Scenario]:
    """The deployment guide's three, with windows of so many minutes; what a busy machine leaves of
    so short a window is worked on for half a minute more, at last urgently."""
    window = {"window_minutes": minutes, **BRIEFLY_PATIENT}
    return [
        Scenario(
            "a small urgent order",
            _signal("AAPL", 33, price=Decimal(150), urgency="IMMEDIATE"),
        ),
        Scenario(
            "a medium patient order",
            _signal("MSFT", 150, price=Decimal(330), slices=10, **window),
        ),
        Scenario(
            "a large institutional order",
            _signal(
                "GOOGL",
                4000,
                price=Decimal(125),
                average_daily_volume=20_000_000,
                **window,
            ),
        ),
    ]


def bar_scenarios(
    symbol: str, market: MarketData, *, now: datetime, speed: float
) -> list[Scenario]:
    """Three orders on one symbol, sized by its price; the largest stays within 5 % of the volume
    that its window can expect. `speed` is market time per real time. What a thin market leaves of
    the last two is worked on for a while, then forced.

    Raises CannotDemonstrate without a price, outside the regular hours, or without volume.
    """
    quote, session = market.quote(symbol, now), market.session(now)
    if quote is None:
        raise CannotDemonstrate(f"no price of {symbol} at {_new_york(now)}: load its bars first")
    if session is None or not session.is_regular(now):
        raise CannotDemonstrate(f"the market is closed at {_new_york(now)}: start its clock anew")
    price = quote.mid
    expected = _expected_volume(symbol, market, session, now)
    largest = min(int(LARGE / price), int(expected * MOST_OF_VOLUME))
    if largest < 1:
        raise CannotDemonstrate(f"{symbol} trades too little after {_new_york(now)}: {expected:,}")
    return [
        Scenario(
            "a small urgent order",
            _signal(symbol, _shares(SMALL, price), price=price, urgency="IMMEDIATE"),
        ),
        Scenario(
            f"about $50,000 over {TWAP_MINUTES} minutes",
            _signal(
                symbol,
                _shares(MEDIUM, price),
                price=price,
                algorithm="TWAP",
                window_minutes=TWAP_MINUTES,
                slices=min(TWAP_SLICES, _room(TWAP_MINUTES, speed), _shares(MEDIUM, price)),
                **PATIENT_THEN_URGENT,
            ),
        ),
        Scenario(
            f"up to $500,000 over {VWAP_MINUTES} minutes, at most 5 % of {expected:,} shares",
            _signal(
                symbol,
                largest,
                price=price,
                algorithm="VWAP",
                window_minutes=VWAP_MINUTES,
                **PATIENT_THEN_URGENT,
            ),
        ),
    ]


def _signal(symbol: str, quantity: int, *, price: Decimal, **more: object) -> dict[str, object]:
    return {
        "symbol": symbol,
        "side": "BUY",
        "quantity": quantity,
        "decision_price": price,
        "strategy": "demo",
        **more,
    }


def _room(minutes: float, speed: float) -> int:
    """How many slices a window has time for."""
    return max(int(minutes * 60 / speed / SLICE_SECONDS), 1)


def _shares(value: Decimal, price: Decimal) -> int:
    return max(int(value / price), 1)


def _expected_volume(symbol: str, market: MarketData, session: Session, now: datetime) -> int:
    """Of the coming window: what the session before traded in it; without its bars, what today
    has traded so far, carried on along the U-shape."""
    window = timedelta(minutes=VWAP_MINUTES)
    before = Bar.objects.filter(symbol=symbol, start_at__lt=day_begins(session.day))
    latest = before.aggregate(at=Max("start_at"))["at"]
    if latest is not None:
        then = now.astimezone(NEW_YORK)
        start = new_york(exchange_day(latest), then.timetz().replace(tzinfo=None))
        return volume(market.bars(symbol, start, start + window))
    so_far = volume(market.bars(symbol, session.open, now))
    behind, ahead = U_SHAPE.weights(session, [session.open, now], now + window)
    return int(so_far * ahead / behind) if behind else 0


def fills_within_bars(order_ids: Iterable[int]) -> tuple[int, int]:
    """How many fills have a price within [low, high] of the minute they are stamped with; of how
    many. A minute without a stored bar has no range to lie in."""
    fills = Fill.objects.filter(order__in=order_ids, quantity__gt=0).select_related("order")
    stamps = [(fill.order.symbol, _minute(fill.executed_at), fill.price) for fill in fills]
    bars = {
        (bar.symbol, bar.start_at): bar
        for bar in Bar.objects.filter(
            symbol__in={symbol for symbol, _, _ in stamps},
            start_at__in={minute for _, minute, _ in stamps},
        )
    }
    inside = 0
    for symbol, minute, price in stamps:
        bar = bars.get((symbol, minute))
        inside += bar is not None and bar.low <= price <= bar.high
    return inside, len(stamps)


def _minute(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0)


def _new_york(at: datetime) -> str:
    return exchange_time(at)
