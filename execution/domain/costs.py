"""What an order is expected to cost, and what it did cost. Always: + is a cost, in basis points."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from math import isfinite, sqrt

BPS = 10_000
REFERENCE_VOLATILITY = 0.02  # the daily volatility at which the impact coefficient is stated


class Basis(StrEnum):
    """What an estimate rests on."""

    SPREAD_AND_IMPACT = "SPREAD_AND_IMPACT"
    VOLATILITY_ASSUMED = "VOLATILITY_ASSUMED"  # the same at a daily 2 %: it is not known
    SPREAD_ONLY = "SPREAD_ONLY"  # the daily volume is not known
    IF_FILLED = "IF_FILLED"  # a limit order that waits pays its own price


@dataclass(frozen=True, slots=True)
class CostEstimate:
    """The expected cost of an order in bps of its value: the three parts add up to `bps`.

    `standard_error_bps` is that of the expectation, as far as the coefficients are uncertain; what
    one order then really costs deviates by far more. None: nobody knows how well they are known.
    """

    bps: float
    spread_bps: float  # half the quoted spread
    impact_bps: float
    urgency_bps: float
    basis: Basis
    standard_error_bps: float | None = None


def guide_slippage(
    *,
    quantity: int,
    average_daily_volume: float | None,
    spread_bps: float,
    impact_coefficient: float = 0.1,
    urgency_multiplier: float = 1.0,
    daily_volatility: float | None = None,
) -> CostEstimate:
    """The deployment guide's formula, as a fraction of the price:

        (spread / 2 + impact_coefficient * sqrt(Q / ADV) * sigma / 2 %) * urgency_multiplier

    `spread_bps` is the full quoted spread. The factor sigma / 2 % applies where the daily
    volatility (a fraction) is known. `urgency_multiplier` is 1 unless the order is urgent. With
    the volume unknown or zero, only the spread part is given, and `basis` says so.
    """
    _check_positive("quantity", quantity)
    _check_not_negative("spread_bps", spread_bps)
    _check_not_negative("impact_coefficient", impact_coefficient)
    _check_not_negative("urgency_multiplier", urgency_multiplier)
    _check_not_negative("average_daily_volume", average_daily_volume or 0)
    half_spread = spread_bps / 2
    impact, basis = 0.0, Basis.SPREAD_ONLY
    if average_daily_volume:
        basis = Basis.SPREAD_AND_IMPACT
        impact = impact_coefficient * sqrt(quantity / average_daily_volume) * BPS
        if daily_volatility is not None:
            _check_not_negative("daily_volatility", daily_volatility)
            impact *= daily_volatility / REFERENCE_VOLATILITY
    calm = half_spread + impact
    total = calm * urgency_multiplier
    return CostEstimate(total, half_spread, impact, total - calm, basis)


def average(notional: Decimal, shares: int) -> Decimal | None:
    """Pavg = sum(q*p) / sum(q), a price per share; None without shares."""
    return notional / shares if shares else None


def slippage_bps(side_sign: int, price: Decimal, benchmark: Decimal) -> float:
    """`side_sign * (price / benchmark - 1)` in bps; +1 is a buy, -1 a sell."""
    if side_sign not in (1, -1):
        raise ValueError(f"side_sign = {side_sign}: must be 1 (buy) or -1 (sell)")
    _check_positive("benchmark", benchmark)
    return float(side_sign * (price - benchmark) / benchmark * BPS)


def volume_after(arrival: datetime, volume: int, *, end: datetime, length: timedelta) -> int:
    """Of the shares that a bar traded those that count from `arrival` on: of the bar under way then
    the part that was still to come, as prints are not told apart within it."""
    return round(volume * min((end - arrival) / length, 1))


def _check_positive(name: str, value: Decimal | float) -> None:
    if not (isfinite(value) and value > 0):
        raise ValueError(f"{name} = {value}: must be positive")


def _check_not_negative(name: str, value: float) -> None:
    if not (isfinite(value) and value >= 0):
        raise ValueError(f"{name} = {value}: must be finite and not negative")
