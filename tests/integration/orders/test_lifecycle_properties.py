"""Whatever happens in whatever order: F + W <= Q, totals derive, transitions are allowed, and the
audit trail alone gives the state."""

import random
from contextlib import suppress
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from execution import context as contexts
from execution.booking import completion
from execution.broker.base import BrokerOrder, Execution
from execution.domain.lifecycle import (
    ORDER_SENDING,
    ORDER_TRANSITIONS,
    SLICE_CLAIMABLE,
    SLICE_TRANSITIONS,
    OrderStatus,
    SliceStatus,
)
from execution.entry import order_controls
from execution.models import Order
from execution.orders import verification
from execution.sending import outcomes
from execution.sending.slices import Intent
from tests.integration.order_steps import claim, execution, new_order, receive, report, working
from tests.integration.rebuild import assert_audit_trail_matches

pytestmark = pytest.mark.any_date


@dataclass
class AtBroker:
    """One child as the broker has it."""

    intent: Intent
    answered: bool = False
    accepted: bool = False
    open: bool = False
    executions: list[Execution] = field(default_factory=list)

    @property
    def left(self) -> int:
        return self.intent.ticket.quantity - sum(e.quantity for e in self.executions)

    def seen(self) -> BrokerOrder:
        if not self.left:
            status = SliceStatus.FILLED
        else:
            status = SliceStatus.WORKING if self.open else SliceStatus.CANCELLED
        return report(self.intent, status, tuple(self.executions))


class OrderLife(RuleBasedStateMachine):
    """One order of 1,000 shares in 5 slices, and a broker that may do anything brokers do."""

    @initialize(seed=st.integers(0, 2**32))
    def accept(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.order = new_order()
        self.children: list[AtBroker] = []
        self.late = False
        # Histories start where something can happen: one child works, and some may have filled.
        self.worker_claims()
        self._accept_first()

    def _accept_first(self) -> None:
        child = self.children[0]
        child.answered = child.accepted = child.open = True
        self._record(child.intent, child.seen())

    def _unanswered(self) -> list[AtBroker]:
        return [child for child in self.children if not child.answered]

    def _accepted(self) -> list[AtBroker]:
        return [child for child in self.children if child.accepted]

    @rule()
    def worker_claims(self) -> None:
        part = self.order.slices.filter(status__in=SLICE_CLAIMABLE).order_by("sequence").first()
        if part is not None and not self._unanswered():
            intent = claim(part)
            if intent is not None:
                self.children.append(AtBroker(intent))

    @precondition(lambda self: self._unanswered())
    @rule(answer=st.sampled_from(["accepted", "lost", "refused", "not sent", "timed out unsent"]))
    def broker_answers(self, answer: str) -> None:
        child = self.random.choice(self._unanswered())
        child.answered = True
        child.accepted = child.open = answer in ("accepted", "lost")
        outcome: outcomes.Outcome
        if answer == "accepted":
            outcome = child.seen()
        elif answer == "refused":
            outcome = outcomes.Refused("NO_FUNDS", "insufficient buying power")
        elif answer == "not sent":
            outcome = outcomes.NotSent("BROKER_UNAVAILABLE", retry=True)
        else:
            outcome = outcomes.Ambiguous("read timed out")
        self._record(child.intent, outcome)

    def _record(self, intent: Intent, outcome: outcomes.Outcome) -> None:
        outcomes.record(
            intent.part.order_id, intent.part.pk, intent.token, outcome, contexts.default()
        )

    @precondition(lambda self: self._accepted())
    @rule(share=st.floats(0.01, 1))
    def broker_executes(self, share: float) -> None:
        child = self.random.choice(self._accepted())
        if not child.left:
            return
        self.late |= not child.open
        quantity = max(int(child.left * share), 1)
        name = str(len(child.executions))
        child.executions.append(execution(child.intent, name, quantity))
        child.open &= child.left > 0
        receive(child.intent, child.seen())

    @precondition(lambda self: self._accepted())
    @rule()
    def broker_repeats_and_shuffles(self) -> None:
        child = self.random.choice(self._accepted())
        again = [*child.executions, *child.executions]
        self.random.shuffle(again)
        seen = child.seen()
        receive(
            child.intent,
            BrokerOrder(
                seen.client_order_id,
                seen.broker_order_id,
                seen.status,
                seen.filled_quantity,
                again,
            ),
        )

    @precondition(lambda self: any(child.executions for child in self._accepted()))
    @rule()
    def broker_corrects(self) -> None:
        child = self.random.choice([c for c in self._accepted() if c.executions])
        old = child.executions[-1]
        if old.quantity < 2:
            return
        name = old.execution_id.rsplit("/", 1)[1]
        child.executions[-1] = execution(
            child.intent, name, old.quantity - 1, revision=old.revision + 1
        )
        # What a correction takes back is not traded again: the child has ended for us.
        child.open = False
        self.late = True
        receive(child.intent, child.seen())

    @precondition(lambda self: self._accepted())
    @rule()
    def broker_confirms_a_cancel(self) -> None:
        child = self.random.choice(self._accepted())
        child.open = False
        receive(child.intent, child.seen())

    @rule()
    def strategy_cancels(self) -> None:
        with suppress(order_controls.NotAllowed):  # it has ended
            order_controls.cancel(self.order.pk, by="test", now=contexts.default().now())

    @rule()
    def trader_pauses_and_resumes(self) -> None:
        self.order.refresh_from_db()
        if self.order.status in ORDER_SENDING:
            order_controls.pause(self.order.pk, by="test", now=contexts.default().now())
        elif self.order.status == OrderStatus.PAUSED:
            order_controls.resume(self.order.pk, by="test", now=contexts.default().now())

    @rule(certain=st.integers(0, 9))
    def window_ends(self, certain: int) -> None:
        if certain == 0:
            completion.expire(self.order.pk, at=self.order.end_at)

    @invariant()
    def never_more_than_ordered(self) -> None:
        order = Order.objects.get(pk=self.order.pk)
        if not self.late:
            assert order.filled_quantity + working(order) <= order.quantity
        if order.filled_quantity > order.quantity:
            assert order.status == OrderStatus.OVERFILLED

    @invariant()
    def totals_derive_from_fills(self) -> None:
        order = Order.objects.get(pk=self.order.pk)
        fills = list(order.fills.all())
        assert order.filled_quantity == sum(fill.quantity for fill in fills)
        assert order.filled_notional == sum(fill.quantity * fill.price for fill in fills)
        broker = sum(e.quantity for child in self.children for e in child.executions)
        assert order.filled_quantity == broker

    @invariant()
    def every_transition_is_in_the_table(self) -> None:
        for event in self.order.events.filter(kind__in=("ORDER_STATUS", "SLICE_STATUS")):
            before, after = event.data["from"], event.data["to"]
            if event.kind == "ORDER_STATUS":
                assert OrderStatus(after) in ORDER_TRANSITIONS[OrderStatus(before)]
            else:
                assert SliceStatus(after) in SLICE_TRANSITIONS[SliceStatus(before)]

    @invariant()
    def the_audit_trail_gives_the_state(self) -> None:
        assert_audit_trail_matches(self.order)

    @invariant()
    def verification_finds_nothing(self) -> None:
        assert list(verification.check([self.order.pk])) == []

    @invariant()
    def a_terminal_order_has_nothing_to_send(self) -> None:
        order = Order.objects.get(pk=self.order.pk)
        if order.is_terminal:
            assert not order.slices.filter(status__in=SLICE_CLAIMABLE).exists()


@pytest.mark.django_db
def test_any_history_keeps_the_invariants() -> None:
    run_state_machine_as_test(
        OrderLife,
        settings=settings(
            max_examples=30,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
