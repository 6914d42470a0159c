"""An order or child under the pre-trade checks, and what was read of its account beforehand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from execution.models import Order
from execution.risk.marks import Marks

Traded = tuple[str, str, int, Decimal, Decimal]  # symbol, side, shares, money, fees


@dataclass(frozen=True, slots=True)
class Book:
    """What an account has traded today and what it holds, which may be of thousands of symbols:
    read once for a list of orders. None: not read, or not known."""

    traded: Sequence[Traded] | None = None
    held: Mapping[str, int] | None = None


@dataclass(frozen=True, slots=True)
class CheckedOrder:
    """One order when it is about to leave, or one child of it of `quantity` shares.

    `working`: shares of the order that the broker holds beside them. `alongside`: orders of the
    same batch that were accepted before it and are not stored yet. `whole`: the shares of all the
    order, where that is looked at and `quantity` is a part of it. `price`: what a share is worth.
    """

    order: Order
    quantity: int
    marks: Marks
    now: datetime
    working: int = 0
    alongside: Sequence[Order] = ()
    whole: int | None = None
    price: Decimal | None = None
    book: Book = Book()
