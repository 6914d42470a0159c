"""The settings of the paper broker."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from deepstack.config_types import Money, PositiveMinutes, Probability, Section, Seed, Share, Shares


class PaperFaults(Section):
    """How the paper broker misbehaves: a profile of `docs/brokers.md`, and what differs from it.

    What is None is as the profile says. Shares are probabilities, seconds are of trading time.
    """

    profile: Literal["calm", "live", "harsh"] = "calm"
    seed: Seed = 7
    # In real time, before each answer about one order: the median, and the logarithm's
    # standard deviation.
    latency_ms: Annotated[float, Field(ge=0, le=5_000)] | None = None
    latency_spread: Annotated[float, Field(ge=0, le=3)] | None = None
    transient_rejects: Probability | None = None
    permanent_rejects: Probability | None = None
    lost_requests: Probability | None = None  # the order never arrives and nobody says so
    lost_answers: Probability | None = None  # the order stands and nobody says so
    late_executions: Probability | None = None  # reported so many seconds late at most
    late_seconds: Annotated[float, Field(ge=0, le=600)] | None = None
    repeated_executions: Probability | None = None  # reported two times in each answer
    partial_fills: Probability | None = None  # arrivals that get a part of what the book gives
    cancel_seconds: Annotated[float, Field(ge=0, le=600)] | None = None  # at most, CANCELLING
    queue: Probability | None = None  # the most of the displayed size that a resting order joins


class PaperImpact(Section):
    """How far paper orders move the price: `execution/domain/own_impact.py`."""

    # Of order 1 in measured markets. 0: none, and previews and every page say so.
    coefficient: Annotated[float, Field(ge=0, le=10)] = 1.0
    half_life_minutes: PositiveMinutes = 60.0  # of the temporary part


class Paper(Section):
    commission_per_share: Money = Decimal("0.005")
    minimum_commission: Money = Decimal(1)
    participation: Share = Decimal("0.10")  # of the tape, beyond the displayed size
    displayed_shares: Shares = 500  # at the touch
    faults: PaperFaults = PaperFaults()
    impact: PaperImpact = PaperImpact()
    cash: Money = Decimal(10_000_000)  # of each account, before its first trade
    leverage: Annotated[Decimal, Field(ge=1, le=10)] = Decimal(
        2
    )  # buying power for each dollar of cash
