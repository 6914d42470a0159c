"""What the gateway's book proves about an order that nobody finds."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils import timezone

from execution import context as contexts
from execution.broker.ibkr.adapter import InteractiveBrokers
from execution.broker.ibkr.endpoint import endpoint_of
from execution.broker.order_manager import OrderManager
from execution.context import Context
from execution.models import IbkrGateway, IbkrOrder, RestrictedSymbol, Slice
from execution.sending import outcomes, resolver
from tests.integration.order_steps import claim, new_order, working

pytestmark = pytest.mark.django_db(transaction=True)


def context() -> Context:
    """Before a gateway that is connected, has compared its book, and hears TWS."""
    usual = contexts.default()
    now = timezone.now()
    IbkrGateway.objects.create(
        endpoint=endpoint_of(usual.config),
        state=IbkrGateway.State.READY,
        accounts=[usual.config.account],
        seen_at_real=now,
        heard_at_real=now,
        reconciled_at_real=now,
    )
    broker = InteractiveBrokers(usual.config)
    return replace(usual, broker=OrderManager(config=usual.config, paper_trader=broker))


def row(client_order_id: str, stage: str) -> IbkrOrder:
    now = timezone.now()
    return IbkrOrder.objects.create(
        gateway=IbkrGateway.objects.get(),
        client_order_id=client_order_id,
        account="default",
        symbol="AAPL",
        side="BUY",
        quantity=200,
        limit_price=150,
        stage=stage,
        order_id=7,
        attempt=1,
        waiter_pid=1,
        valid_until_real=now - timedelta(seconds=5),
        changed_at_real=now,
    )


@pytest.mark.parametrize(
    ("stage", "proof"),
    [
        ("ABSENT", True),
        ("WITHDRAWN", True),
        ("QUEUED", False),
        ("SENDING", False),
        ("WORKING", False),
        ("CANCELLED", False),
        ("LOST", False),
    ],
)
def test_only_what_never_left_or_was_looked_for_in_vain_never_arrived(
    stage: str, proof: bool
) -> None:
    broker = context().broker
    assert broker.never_arrived("nobody's")
    row("c1", stage)
    assert broker.never_arrived("c1") is proof


def test_an_order_that_the_broker_does_not_have_is_free_at_once() -> None:
    """Its repetition is denied before it leaves: it waits for no lease and no end of a window."""
    at = context()
    order = new_order()
    intent = claim(order.slices.get(sequence=0))
    assert intent is not None
    row(intent.ticket.client_order_id, "ABSENT")
    lost = outcomes.Ambiguous("OutcomeUnknown: TWS has not answered")
    outcomes.record(order.pk, intent.part.pk, intent.token, lost, at)
    RestrictedSymbol.objects.create(symbol="AAPL", reason="news", changed_by="ann")
    resolver.resolve(intent.part.pk, at)
    part = Slice.objects.get(pk=intent.part.pk)
    assert (part.status, working(order)) == ("PLANNED", 0)
    assert IbkrOrder.objects.get().stage == "ABSENT"
