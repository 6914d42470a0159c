"""Transaction cost analysis: what an order cost, against which benchmark.

Pure arithmetic in Decimal. Sign everywhere: + is a cost to us. `side` is +1 for a buy and -1 for
a sell. Prices are per share; "bps" are basis points (1/10,000) of the benchmark named. Where the
market says nothing the answer is None, never a value made from our own prices.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Protocol

from execution.domain.costs import average, volume_after

BPS = Decimal(10_000)
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Executed:
    """Our executions together: shares, what they were worth at their own prices, and fees."""

    quantity: int = 0
    value: Decimal = ZERO
    fees: Decimal = ZERO

    @property
    def average_price(self) -> Decimal | None:
        """Pavg = sum(q*p) / sum(q); None without shares."""
        return average(self.value, self.quantity)


@dataclass(frozen=True, slots=True)
class Bin:
    """What the whole market traded in one interval: shares and their average price."""

    volume: int
    price: Decimal


class Traded(Protocol):
    """A bar of the tape."""

    @property
    def volume(self) -> int: ...
    @property
    def vwap(self) -> Decimal: ...
    @property
    def end(self) -> datetime: ...
    @property
    def length(self) -> timedelta: ...


@dataclass(frozen=True, slots=True)
class Shortfall:
    """Implementation shortfall in money, by cause; the four add up to `total` exactly.

    `paper_value` is the value of the paper portfolio: shares ordered at the decision price.
    """

    delay: Decimal
    trading: Decimal
    opportunity: Decimal
    fees: Decimal
    paper_value: Decimal

    @property
    def total(self) -> Decimal:
        return self.delay + self.trading + self.opportunity + self.fees

    @property
    def bps(self) -> Decimal:
        """The total over the paper value."""
        return self.total / self.paper_value * BPS


def shortfall(
    side: int,
    ordered: int,
    done: Executed,
    *,
    decision: Decimal,
    arrival: Decimal,
    final: Decimal,
) -> Shortfall:
    """Perold's implementation shortfall (1988) with the split of Wagner and Edwards (1993).

    With S shares ordered, Qx executed, Pd the decision price, P0 the mid at arrival, Pavg our
    average price, Pn the price when the order ended:
    delay = s*S*(P0-Pd); trading = s*Qx*(Pavg-P0); opportunity = s*(S-Qx)*(Pn-P0); fees.
    Raises ArithmeticError if they do not add up to Perold's own sum.
    """
    missed = ordered - done.quantity
    result = Shortfall(
        delay=side * ordered * (arrival - decision),
        trading=side * (done.value - done.quantity * arrival),
        opportunity=side * missed * (final - arrival),
        fees=done.fees,
        paper_value=ordered * decision,
    )
    perold = (
        side * (done.value - done.quantity * decision)
        + side * missed * (final - decision)
        + done.fees
    )
    if perold != result.total:
        raise ArithmeticError(f"shortfall {perold} is not the sum of its parts {result.total}")
    return result


def cost_bps(side: int, price: Decimal | None, benchmark: Decimal | None) -> Decimal | None:
    """s * (price / benchmark - 1), in bps: arrival cost, VWAP or TWAP slippage, by benchmark."""
    if price is None or not benchmark:
        return None
    return side * (price / benchmark - 1) * BPS


def vwap(bins: Iterable[Bin]) -> Decimal | None:
    """The market's sum(v*p) / sum(v); None without volume."""
    shares, value = 0, ZERO
    for each in bins:
        shares += each.volume
        value += each.volume * each.price
    return value / shares if shares else None


def after_arrival(bars: Iterable[Traded], arrival: datetime) -> list[Bin]:
    """Bars as bins from the arrival on, the one under way at that moment in part."""
    return [
        Bin(volume_after(arrival, bar.volume, end=bar.end, length=bar.length), bar.vwap)
        for bar in bars
        if bar.end > arrival
    ]


def twap(bins: Sequence[Bin]) -> Decimal | None:
    """The plain mean of the prices of intervals of equal length; None without intervals."""
    return sum((each.price for each in bins), ZERO) / len(bins) if bins else None


def participation(executed: int, bins: Iterable[Bin]) -> Decimal | None:
    """Qx / market volume of the window, as a fraction; the volume includes our own shares."""
    volume = sum(each.volume for each in bins)
    return Decimal(executed) / volume if volume else None


def pwp(executed: int, rate: Decimal, bins: Iterable[Bin]) -> Decimal | None:
    """Participation weighted price: the VWAP of the first Qx / rate market shares after arrival.

    `bins` begin at arrival, oldest first, and the last one needed counts in part. None when
    nothing was executed or the market has not traded that many shares.
    """
    wanted = executed / rate
    left, notional = wanted, ZERO
    for each in bins:
        used = min(left, Decimal(each.volume))
        notional += used * each.price
        left -= used
        if left == 0:
            break
    return notional / wanted if wanted and left == 0 else None


def relative_performance(side: int, average: Decimal, bins: Sequence[Bin]) -> Decimal | None:
    """RPM = 0.5 * (V + favourable - unfavourable) / V, from 0 (worst) to 1 (best).

    Favourable is the market volume at prices worse than ours, unfavourable that at better ones.
    """
    total = sum(each.volume for each in bins)
    if not total:
        return None
    favourable = sum(each.volume for each in bins if side * (each.price - average) > 0)
    unfavourable = sum(each.volume for each in bins if side * (each.price - average) < 0)
    return Decimal(total + favourable - unfavourable) / (2 * total)


def quoted_spread_bps(bid: Decimal, ask: Decimal) -> Decimal:
    """(a - b) / m."""
    return (ask - bid) / _mid(bid, ask) * BPS


def effective_spread_bps(side: int, price: Decimal, bid: Decimal, ask: Decimal) -> Decimal:
    """2s(P - m) / m: what the trade paid for the round trip, with m at the time of the trade."""
    mid = _mid(bid, ask)
    return 2 * side * (price - mid) / mid * BPS


def realised_spread_bps(
    side: int, price: Decimal, bid: Decimal, ask: Decimal, mid_later: Decimal
) -> Decimal:
    """2s(P - m5) / m, m5 being the mid five minutes later: what the other side earned."""
    return 2 * side * (price - mid_later) / _mid(bid, ask) * BPS


def price_impact_bps(side: int, bid: Decimal, ask: Decimal, mid_later: Decimal) -> Decimal:
    """2s(m5 - m) / m; the effective spread is this plus the realised spread."""
    mid = _mid(bid, ask)
    return 2 * side * (mid_later - mid) / mid * BPS


def spread_capture(side: int, price: Decimal, bid: Decimal, ask: Decimal) -> Decimal | None:
    """The share of the spread that was kept: buy (a - P)/(a - b), sell (P - b)/(a - b).

    1 is the near touch, 0 the far one; None when there is no spread.
    """
    if ask == bid:
        return None
    kept = ask - price if side > 0 else price - bid
    return kept / (ask - bid)


def reversion_bps(
    side: int, arrival_mid: Decimal, mid_at_end: Decimal, mid_later: Decimal
) -> Decimal:
    """s * (M_end - M_end+h) / M0: + when the price came back, so that part of it was our doing."""
    return side * (mid_at_end - mid_later) / arrival_mid * BPS


def _mid(bid: Decimal, ask: Decimal) -> Decimal:
    return (bid + ask) / 2
