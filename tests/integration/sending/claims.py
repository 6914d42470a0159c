"""A claimed slice, its lease, and what another process holds meanwhile."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

from django.db import connection
from django.utils import timezone

from execution import context as contexts
from execution.context import Context
from execution.models import Order, PaperOrder, Slice
from execution.sending.slices import Intent
from tests.integration.order_steps import claim, new_order


@contextmanager
def elsewhere(holding: Callable[[], "contextmanager[bool]"]) -> Iterator[None]:
    """Another process, as far as PostgreSQL can tell, is inside `holding` while the block runs."""
    inside, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with holding():
            inside.set()
            leave.wait(30)
        connection.close()

    thread = threading.Thread(target=hold)
    thread.start()
    assert inside.wait(10)
    yield
    leave.set()
    thread.join()


def intended(order: Order) -> Intent:
    """The first slice of the order, claimed by a worker that then says nothing more."""
    intent = claim(order.slices.get(sequence=0))
    assert intent is not None
    return intent


def lease_over(intent: Intent) -> None:
    """As if the lease and all settling times had passed."""
    past = timezone.now() - timedelta(seconds=1)
    Slice.objects.filter(pk=intent.part.pk).update(lease_until_real=past, check_at_real=past)


def slice_of(intent: Intent) -> Slice:
    return Slice.objects.select_related("order").get(pk=intent.part.pk)


def sent(intent: Intent) -> int:
    return PaperOrder.objects.filter(client_order_id=intent.ticket.client_order_id).count()


def due_in(seconds: float) -> Slice:
    part = new_order(parts=1).slices.get()
    part.due_at = contexts.default().now() + timedelta(seconds=seconds)
    part.save(update_fields=["due_at"])
    return part


def gapped(seconds: float) -> Context:
    usual = contexts.default()
    scheduling = usual.config.execution.scheduling.model_copy(update={"min_gap_seconds": seconds})
    execution = usual.config.execution.model_copy(update={"scheduling": scheduling})
    return replace(usual, config=usual.config.model_copy(update={"execution": execution}))
