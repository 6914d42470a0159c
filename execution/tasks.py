"""The Celery tasks: each takes an id and makes one call."""

from datetime import datetime

import structlog
from celery import shared_task
from celery.signals import worker_init, worker_ready, worker_shutting_down
from django.db import connection

from deepstack import redis_check, thread_failures
from deepstack.celery import LoopTask, pool_began, pool_ends, thread_began
from deepstack.database.advisory_locks import POLL, try_session_lock, unlock_session
from execution import context, heartbeat
from execution.booking import broker_feed
from execution.market import clock
from execution.models import Heartbeat
from execution.orders import caller
from execution.planning import volume_profiles
from execution.reconciliation import account_reconciliation, trading_gate
from execution.risk import recovery_mode
from execution.sending import resolver, slice_flow

log = structlog.get_logger(__name__)

DRAIN_SECONDS = 10.0


@shared_task(base=LoopTask)
def send_slice(slice_id: int, *, eta: datetime | None = None) -> None:
    """Ends when the slice is in hand; what becomes of it, its events tell."""
    slice_flow.of_process().bring(slice_id, eta=eta)


@shared_task
def resolve_slice(slice_id: int) -> None:
    structlog.contextvars.clear_contextvars()
    resolver.resolve(slice_id, context.default())


@shared_task
def close_slice(slice_id: int) -> None:
    structlog.contextvars.clear_contextvars()
    resolver.close(slice_id, context.default())


# Twice a second: its events would leave no room in Flower for those of slices.
@shared_task(send_events=False)
def poll_executions(account: str) -> None:
    """One at a time: a second listener would only wait for the first one's locks. Of a heap of
    these tasks, which nobody took for a while, one does the work."""
    structlog.contextvars.clear_contextvars()
    if broker_feed.just_polled(account, context.default()):
        return
    alone = try_session_lock(POLL)
    if not alone and not broker_feed.is_overdue(account, context.default()):
        return
    try:
        broker_feed.poll(account, context.default())
    finally:
        if alone:
            unlock_session(POLL)


# The name of release 1.0: messages of that release may be under way. Goes with the next release.
@shared_task(name="execution.tasks.hear_broker", send_events=False)
def _hear_broker(account: str) -> None:
    poll_executions(account)


@shared_task
def learn_profiles() -> None:
    structlog.contextvars.clear_contextvars()
    volume_profiles.catch_up(now=clock.now())


@shared_task
def compare_accounts() -> None:
    structlog.contextvars.clear_contextvars()
    account_reconciliation.nightly(context.default())


@worker_init.connect
def _warm(**_: object) -> None:
    """The first question for a session loads the exchange's calendar, which takes a second that
    no slice should wait for under its order's lock."""
    caller.be_service()
    recovery_mode.check_quietly()
    ready = context.default()
    trading_gate.put_before(ready)
    ready.market.session(ready.now())


@pool_began.connect
def _begin_flow(**_: object) -> None:
    slice_flow.of_process()


@pool_ends.connect
def _drain_flow(**_: object) -> None:
    if not slice_flow.of_process().drain(DRAIN_SECONDS):
        log.warning("slices are left to the other workers")


@thread_began.connect
def _connect(**_: object) -> None:
    """No more: slices leave by threads of their own, which have their statements prepared, and
    statements that a thread of the pool never asks for would cost PostgreSQL megabytes each."""
    connection.ensure_connection()


@worker_ready.connect
def _show_life(**_: object) -> None:
    stop = heartbeat.keep_beating(Heartbeat.Kind.WORKER, trouble=_trouble)
    worker_shutting_down.connect(lambda **_: stop.set(), weak=False)


def _trouble() -> str:
    redis = redis_check.trouble()
    return f"Redis: {redis}" if redis else thread_failures.found()
