"""The order state change matrices of the FIX protocol (4.4, volume 4, appendix D), as one order
of 1,000 shares with one child lives through them."""

from dataclasses import dataclass, field

import pytest

from execution import context as contexts
from execution.booking import completion
from execution.broker.base import BrokerOrder, Execution
from execution.domain.lifecycle import SliceStatus
from execution.entry import order_controls
from execution.models import Order, Slice
from execution.sending import outcomes, resolver
from tests.integration.order_steps import claim, execution, new_order, receive, report, working
from tests.integration.rebuild import assert_audit_trail_matches

pytestmark = pytest.mark.django_db


@dataclass
class Life:
    """Takes an order through steps, each a word and perhaps a number."""

    order: Order
    executions: list[Execution] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.intent = claim(self.order.slices.get())
        assert self.intent is not None

    def live(self, *steps: str) -> None:
        for step in steps:
            word, _, number = step.partition(" ")
            getattr(self, word)(*([int(number)] if number else []))

    def _answer(self, outcome: outcomes.Outcome) -> None:
        assert self.intent is not None
        intent = self.intent
        outcomes.record(
            intent.part.order_id, intent.part.pk, intent.token, outcome, contexts.default()
        )

    def _report(self, status: SliceStatus) -> BrokerOrder:
        assert self.intent is not None
        return report(self.intent, status, tuple(self.executions))

    def _hear(self, status: SliceStatus) -> None:
        assert self.intent is not None
        receive(self.intent, self._report(status))

    def acknowledged(self) -> None:
        self._answer(self._report(SliceStatus.WORKING))

    def refused(self) -> None:
        self._answer(outcomes.Refused("NO_FUNDS", "insufficient buying power"))

    def unanswered(self) -> None:
        self._answer(outcomes.Ambiguous("read timed out"))

    def working(self) -> None:
        self._hear(SliceStatus.WORKING)

    def filled(self, quantity: int) -> None:
        """An execution, with the status that the broker gives the child after it."""
        assert self.intent is not None
        self.executions.append(execution(self.intent, str(len(self.executions)), quantity))
        done = sum(e.quantity for e in self.executions) == self.intent.ticket.quantity
        self._hear(SliceStatus.FILLED if done else SliceStatus.WORKING)

    def corrected(self, quantity: int) -> None:
        """The last execution gets other numbers; zero is a bust."""
        assert self.intent is not None
        last = self.executions[-1]
        name = last.execution_id.rsplit("/", 1)[1]
        self.executions[-1] = execution(self.intent, name, quantity, revision=last.revision + 1)
        self._hear(SliceStatus.CANCELLED)

    def cancel(self) -> None:
        order_controls.cancel(self.order.pk, by="test", now=contexts.default().now())
        Slice.objects.filter(order=self.order, status=SliceStatus.WORKING).update(
            status=SliceStatus.CANCELLING
        )

    def cancelled(self) -> None:
        self._hear(SliceStatus.CANCELLED)

    def expired(self) -> None:
        self._hear(SliceStatus.EXPIRED)

    def rejected(self) -> None:
        self._hear(SliceStatus.REJECTED)

    def over(self) -> None:
        completion.expire(self.order.pk, at=self.order.end_at)


MATRIX = [
    ("A1 filled in parts", ["acknowledged", "filled 200", "filled 800"], "FILLED", "FILLED", 1000),
    ("A2 refused", ["refused"], "REJECTED", "REJECTED", 0),
    (
        "A3 refused after its acknowledgement",
        ["acknowledged", "rejected"],
        "REJECTED",
        "REJECTED",
        0,
    ),
    (
        "A4 the day ends on a part",
        ["acknowledged", "filled 200", "expired"],
        "EXPIRED",
        "EXPIRED",
        200,
    ),
    ("A5 executed before acknowledged", ["filled 200", "acknowledged"], "WORKING", "WORKING", 200),
    ("A6 filled before acknowledged", ["filled 1000", "acknowledged"], "FILLED", "FILLED", 1000),
    ("B1 cancelled unfilled", ["acknowledged", "cancel", "cancelled"], "CANCELLED", "CANCELLED", 0),
    ("B2 cancel pending", ["acknowledged", "cancel"], "CANCELLING", "CANCELLING", 0),
    (
        "B3 executions while the cancel is pending",
        ["acknowledged", "filled 200", "cancel", "filled 300", "cancelled"],
        "CANCELLED",
        "CANCELLED",
        500,
    ),
    (
        "B4 filled before the cancel was accepted",
        ["acknowledged", "filled 200", "cancel", "filled 800"],
        "FILLED",
        "FILLED",
        1000,
    ),
    (
        "B5 the cancel comes too late and the child fills",
        ["acknowledged", "cancel", "working", "filled 1000"],
        "FILLED",
        "FILLED",
        1000,
    ),
    (
        "B6 cancelled by the broker unasked",
        ["acknowledged", "filled 200", "cancelled"],
        "EXPIRED",
        "CANCELLED",
        200,
    ),
    (
        "B7 cancel twice",
        ["acknowledged", "cancel", "cancel", "cancelled"],
        "CANCELLED",
        "CANCELLED",
        0,
    ),
    (
        "C1 an execution after the cancel was confirmed",
        ["acknowledged", "cancel", "cancelled", "filled 400"],
        "CANCELLED",
        "CANCELLED",
        400,
    ),
    (
        "C2 all of it after the cancel was confirmed",
        ["acknowledged", "cancel", "cancelled", "filled 1000"],
        "FILLED",
        "FILLED",
        1000,
    ),
    ("C3 an execution after a reject", ["refused", "filled 100"], "EXPIRED", "REJECTED", 100),
    ("D1 the answer got lost", ["unanswered"], "WORKING", "UNKNOWN", 0),
    ("D2 the lost order works", ["unanswered", "working"], "WORKING", "WORKING", 0),
    ("D3 the lost order fills", ["unanswered", "filled 1000"], "FILLED", "FILLED", 1000),
    ("D4 the lost order was refused", ["unanswered", "rejected"], "REJECTED", "REJECTED", 0),
    (
        "E1 a correction takes shares back",
        ["acknowledged", "filled 1000", "corrected 900"],
        "EXPIRED",
        "CANCELLED",
        900,
    ),
    (
        "E2 an execution is busted",
        ["acknowledged", "filled 600", "filled 400", "corrected 0"],
        "EXPIRED",
        "CANCELLED",
        600,
    ),
    (
        "E3 corrected twice",
        ["acknowledged", "filled 1000", "corrected 900", "corrected 1000"],
        "FILLED",
        "FILLED",
        1000,
    ),
    ("F1 the window ends first", ["acknowledged", "over"], "WORKING", "WORKING", 0),
    (
        "F2 the window ends, then the cancel is confirmed",
        ["acknowledged", "filled 10", "over", "cancelled"],
        "EXPIRED",
        "CANCELLED",
        10,
    ),
]


@pytest.mark.parametrize(
    ("steps", "order_status", "slice_status", "filled"),
    [row[1:] for row in MATRIX],
    ids=[row[0] for row in MATRIX],
)
def test_the_matrices(steps: list[str], order_status: str, slice_status: str, filled: int) -> None:
    life = Life(new_order(parts=1))
    life.live(*steps)
    order = Order.objects.get(pk=life.order.pk)
    part = order.slices.get()
    assert (order.status, part.status, order.filled_quantity) == (
        order_status,
        slice_status,
        filled,
    )
    assert order.filled_quantity + working(order) <= order.quantity
    at_broker = slice_status in ("WORKING", "CANCELLING", "UNKNOWN", "SENDING")
    assert working(order) == (order.quantity - filled if at_broker else 0)


def test_more_than_ordered_is_booked_named_and_stopped() -> None:
    order = new_order(parts=2)
    first = Life.__new__(Life)
    first.order, first.executions = order, []
    first.intent = claim(order.slices.get(sequence=0))
    first.live("acknowledged", "filled 500")
    second = Life.__new__(Life)
    second.order, second.executions = order, []
    second.intent = claim(order.slices.get(sequence=1))
    second.live("acknowledged", "filled 500")
    first.corrected(600)
    order.refresh_from_db()
    assert (order.status, order.filled_quantity) == ("OVERFILLED", 1100)
    assert_audit_trail_matches(order)


def test_the_same_execution_with_other_numbers_is_told_not_counted() -> None:
    life = Life(new_order(parts=1))
    life.live("acknowledged", "filled 200")
    assert life.intent is not None
    life.executions[0] = execution(life.intent, "0", 300)
    life.working()
    order = Order.objects.get(pk=life.order.pk)
    assert order.filled_quantity == 200
    assert order.events.filter(kind="FILL_CONFLICT").exists()


def test_a_terminal_status_waits_for_the_executions_it_counts() -> None:
    """The broker says 300 are done and the child is cancelled, before it reports the 300."""
    life = Life(new_order(parts=1))
    life.live("acknowledged")
    assert life.intent is not None
    ahead = BrokerOrder(
        life.intent.ticket.client_order_id, "B", SliceStatus.CANCELLED, 300, executions=()
    )
    receive(life.intent, ahead)
    assert working(Order.objects.get(pk=life.order.pk)) == 1000
    life.executions.append(execution(life.intent, "0", 300))
    life.cancelled()
    order = Order.objects.get(pk=life.order.pk)
    assert (order.filled_quantity, working(order)) == (300, 0)


def test_a_close_that_nobody_needs_changes_nothing() -> None:
    life = Life(new_order(parts=1))
    life.live("acknowledged", "filled 1000")
    assert life.intent is not None
    before = list(Slice.objects.filter(pk=life.intent.part.pk).values())
    resolver.close(life.intent.part.pk, contexts.default())
    assert list(Slice.objects.filter(pk=life.intent.part.pk).values()) == before
