"""What a scene of the rehearsal consists of, and the orders that all of them use."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from execution.context import Context
from execution.domain.lifecycle import OrderStatus
from execution.entry import acceptance
from execution.market.base import Quote
from execution.models import Order

BY = ACCOUNT = STRATEGY = "rehearsal"
NEVER_FILLS = "1.00"  # as the limit of a buy


class CannotPlay(RuntimeError):
    """The rehearsal cannot set the trouble up; what it had made is cleaned up."""


@dataclass(frozen=True, slots=True)
class Seen:
    """`words`: what was done so far and what is still missing. Where neither `done` nor `wrong`,
    the scene goes on; `wrong`: it cannot be put right any more."""

    words: str = ""
    done: bool = False
    wrong: bool = False


@dataclass(frozen=True, slots=True)
class Practice:
    """`symbol`: one that nobody else trades."""

    context: Context
    symbol: str

    def submit(self, **terms: object) -> Order:
        """An order of the rehearsal's own, which may be denied. Raises InvalidSignal."""
        own = {"account": ACCOUNT, "strategy": STRATEGY, "symbol": self.symbol, "side": "BUY"}
        return acceptance.accept(own | terms, self.context)

    def accepted(self, **terms: object) -> Order:
        order = self.submit(**terms)
        if order.status == OrderStatus.DENIED:
            raise CannotPlay(f"the rehearsal's own order was denied: {order.status_reason}")
        return order

    def quote(self) -> Quote:
        found = self.context.market.quote(self.symbol, self.context.now())
        if found is None:
            raise CannotPlay(f"{self.symbol} has no quote now")
        return found


class Scene(ABC):
    """One trouble. It is made anew for each time that it is played."""

    name: ClassVar[str]
    title: ClassVar[str]
    section: ClassVar[str]  # of docs/runbook.md
    needs_market: ClassVar[bool] = True

    def __init__(self, practice: Practice) -> None:
        self.practice = practice

    @abstractmethod
    def set_up(self) -> str:
        """Make the trouble; what somebody on duty notices of it, without what to do."""

    @abstractmethod
    def look(self) -> Seen:
        """What the rows say now."""

    @abstractmethod
    def solution(self) -> str:
        """The commands or the page."""

    @abstractmethod
    def solve(self) -> str:
        """Do what is still missing, as a person would; what a person has to do all the same."""

    def go_on(self, seconds: float) -> None:  # noqa: B027  most troubles just last
        """What the trouble does meanwhile; `seconds` since it was set up."""


def described(order: Order) -> str:
    return f"order {order.pk} ({order.side} {order.quantity:,} {order.symbol})"
