"""One order in a thin market that people halt, minute by minute."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from deepstack.config import Scheduling
from execution.models import Order
from execution.risk import kill_switch
from tests.integration.rebuild import assert_audit_trail_matches
from tests.integration.thin_market import (
    STEP,
    Trial,
    at_minute,
    context_at,
    none_of,
    order_of,
    trade,
)

TEN = 30  # minutes of the session; the order's window is an hour from there on
FLAT = [900.0] * 390


def trial(answer: Any = none_of, **terms: Any) -> Trial:
    trade(FLAT)
    scheduling = Scheduling(defer_seconds=STEP.total_seconds())
    context = context_at(at_minute(TEN), scheduling=scheduling)
    if terms.get("algorithm") == "LIMIT":
        terms = {"limit_price": 899} | terms
    return Trial(order_of(context, **terms), context, answer)


class Halted:
    """A halt of a scope, by a named person, until it is resumed."""

    def __init__(
        self, given: Trial, minute: float, *, scope: str = "SYSTEM", key: str = ""
    ) -> None:
        self.given, self.scope, self.key = given, scope, key
        self._set("HALTED", at_minute(minute))

    def resume(self, minute: float) -> None:
        self._set("ACTIVE", at_minute(minute))

    def _set(self, state: str, now: datetime) -> None:
        where = {"scope": self.scope, "key": self.key, "state": state}
        kill_switch.change(**where, by="ann", reason="news", now=now)
        self.given.hold(now)


def until(given: Trial, minute: float) -> None:
    """From where it is, with everything that comes due in between."""
    now = at_minute(minute)
    given.run(until=now)
    given.context = replace(given.context, now=lambda: now)
    given.hold(now)


def returned(order: Order) -> list[dict[str, Any]]:
    events = order.events.filter(kind="SHARES_RETURNED").order_by("pk")
    return [event.data for event in events]


def finished(given: Trial) -> tuple[str, int]:
    order = given.run()
    assert_audit_trail_matches(order)
    return order.status, order.filled_quantity
