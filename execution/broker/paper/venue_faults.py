"""How the paper broker misbehaves: what a seed, an order's id and a purpose decide, once for all.

Nothing is remembered, so every process and every repetition decides alike. What must pass by
itself, because the same id is sent again, is decided anew in each second of trading time.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import exp
from random import Random
from types import MappingProxyType

from deepstack.config_paper import PaperFaults
from execution.broker.base import BrokerRejected

LONGEST_ANSWER = 5.0  # seconds
RETRY_AFTER = 1.0  # seconds


@dataclass(frozen=True, slots=True)
class FaultProfile:
    """Shares are probabilities from 0 to 1; seconds are of trading time where not said else."""

    seed: int = 7
    latency_ms: float = 0.0  # median, in real time
    latency_spread: float = 0.0  # standard deviation of the latency's logarithm
    transient_rejects: float = 0.0
    permanent_rejects: float = 0.0
    lost_requests: float = 0.0
    lost_answers: float = 0.0
    late_executions: float = 0.0
    late_seconds: float = 0.0  # at most
    repeated_executions: float = 0.0
    partial_fills: float = 0.0
    cancel_seconds: float = 0.0  # at most
    queue: float = 0.0  # at most, of the displayed size

    def latency(self, client_order_id: str, question: str) -> float:
        """Seconds that an answer takes in real time: lognormal."""
        if not self.latency_ms:
            return 0.0
        spread = self.latency_spread * self._dice(client_order_id, f"latency {question}").gauss()
        return min(self.latency_ms / 1000 * exp(spread), LONGEST_ANSWER)

    def refusal(self, client_order_id: str, now: datetime) -> BrokerRejected | None:
        """Why the order is not taken now, or ever."""
        if self._happens(self.permanent_rejects, client_order_id, "permanent reject"):
            return BrokerRejected("REFUSED_BY_FAULT_PROFILE", "paper.faults.permanent_rejects")
        if self._happens(self.transient_rejects, client_order_id, _second("transient", now)):
            why = "paper.faults.transient_rejects"
            return BrokerRejected("RATE_LIMITED", why, transient=True, retry_after=RETRY_AFTER)
        return None

    def loses_request(self, client_order_id: str, now: datetime) -> bool:
        return self._happens(self.lost_requests, client_order_id, _second("request", now))

    def loses_answer(self, client_order_id: str) -> bool:
        return self._happens(self.lost_answers, client_order_id, "answer")

    def at_arrival(self, client_order_id: str) -> float:
        """The share that an order gets of what the displayed book gives; mostly all."""
        if not self._happens(self.partial_fills, client_order_id, "partial"):
            return 1.0
        return self._dice(client_order_id, "part").random()

    def ahead(self, client_order_id: str, displayed: int) -> int:
        """Shares of a displayed size that stand before an order that joins it."""
        if not self.queue:
            return 0
        return int(displayed * self.queue * self._dice(client_order_id, "queue").random())

    def reported_at(self, client_order_id: str, before: int, now: datetime) -> datetime | None:
        """When an execution is reported that follows `before` filled shares; None: at once."""
        if not self._happens(self.late_executions, client_order_id, f"late {before}"):
            return None
        return now + self._within(self.late_seconds, client_order_id, f"lateness {before}")

    def reported_twice(self, client_order_id: str, number: int) -> bool:
        """Whether each answer contains the order's execution of this number two times."""
        return self._happens(self.repeated_executions, client_order_id, f"repeat {number}")

    def cancelled_at(self, client_order_id: str, now: datetime) -> datetime:
        """When a cancel that is asked for now is carried out."""
        return now + self._within(self.cancel_seconds, client_order_id, "cancel")

    def _happens(self, share: float, client_order_id: str, purpose: str) -> bool:
        return share > 0 and self._dice(client_order_id, purpose).random() < share

    def _within(self, seconds: float, client_order_id: str, purpose: str) -> timedelta:
        if not seconds:
            return timedelta(0)
        return timedelta(seconds=seconds * self._dice(client_order_id, purpose).random())

    def _dice(self, client_order_id: str, purpose: str) -> Random:
        return Random(f"{self.seed}:{client_order_id}:{purpose}")  # noqa: S311


PROFILES: Mapping[str, FaultProfile] = MappingProxyType(
    {
        "calm": FaultProfile(),
        "live": FaultProfile(
            latency_ms=60.0,
            latency_spread=0.5,
            transient_rejects=0.005,
            permanent_rejects=0.002,
            lost_requests=0.0005,
            lost_answers=0.001,
            late_executions=0.05,
            late_seconds=2.0,
            repeated_executions=0.01,
            partial_fills=0.10,
            cancel_seconds=0.5,
            queue=0.5,
        ),
        "harsh": FaultProfile(
            latency_ms=150.0,
            latency_spread=0.8,
            transient_rejects=0.10,
            permanent_rejects=0.03,
            lost_requests=0.05,
            lost_answers=0.10,
            late_executions=0.40,
            late_seconds=5.0,
            repeated_executions=0.30,
            partial_fills=0.40,
            cancel_seconds=3.0,
            queue=1.0,
        ),
    }
)


def fault_profile(settings: PaperFaults) -> FaultProfile:
    """The named profile, with what the settings say themselves in place of its numbers."""
    said = settings.model_dump(exclude={"profile"}, exclude_none=True)
    return replace(PROFILES[settings.profile], **said)


def _second(what: str, now: datetime) -> str:
    return f"{what} {int(now.timestamp())}"
