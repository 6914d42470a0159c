"""Alerts leave through their channels: each delivery is claimed, tried and recorded."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

import structlog
from django.db.models import F, QuerySet

from deepstack.database.advisory_locks import DELIVERING, alone
from monitoring.alerting import digests
from monitoring.channels import channel_health
from monitoring.channels.base import Channel, DigestChannel
from monitoring.channels.channel_health import Outcome
from monitoring.models import Alert, AlertDelivery

log = structlog.get_logger(__name__)

State = AlertDelivery.State

# While a try is under way nobody else begins one; a process that died in it holds it no longer.
LEASE = timedelta(seconds=30)
FIRST_PAUSE = timedelta(seconds=5)
LONGEST_PAUSE = timedelta(minutes=15)
MAX_ATTEMPTS = 40  # with these pauses: about eight hours
BATCH = 200
PATIENCE = timedelta(seconds=10)
# What was refused is tried again once the channel takes anything: so long, and so often. One that
# is refused for what it says would else come back after each success.
REFUSED_KEPT = timedelta(days=1)
REFUSED_TRIES = 5


def any_due(*, real_now: datetime) -> bool:
    return _due(real_now).exists()


def deliver_due(*, real_now: Callable[[], datetime], channels: Mapping[str, Channel]) -> int:
    """Try every delivery that is due once, the oldest alert first; returns how many were sent.

    A channel that fails is left alone for the rest of the call, so that one dead address costs
    one time-out and holds nobody else up. Ends after PATIENCE, and does nothing while another
    process delivers: what is left is due at the next call.
    """
    sent = 0
    down: set[str] = set()
    stop = real_now() + PATIENCE
    with alone(DELIVERING) as mine:
        due = _due(real_now()).select_related("alert__order").order_by("alert_id", "pk")
        leaving = digests.leaving(list(due[:BATCH]) if mine else [], channels, real_now())
        for together in digests.messages(leaving, channels):
            if real_now() > stop:
                break
            name = together[0].channel
            claimed = (
                [] if name in down else [each for each in together if _claim(each, real_now())]
            )
            if not claimed:
                continue
            states = _try(claimed, channels.get(name), real_now=real_now)
            sent += states.count(State.SENT)
            if State.PENDING in states:
                down.add(name)
    return sent


def _due(real_now: datetime) -> QuerySet[AlertDelivery]:
    return AlertDelivery.objects.filter(state=State.PENDING, next_try_at_real__lte=real_now)


def _claim(delivery: AlertDelivery, real_now: datetime) -> bool:
    """Count the try and take the lease, unless another process just did."""
    updated = AlertDelivery.objects.filter(
        pk=delivery.pk, state=State.PENDING, attempts=delivery.attempts
    ).update(attempts=F("attempts") + 1, next_try_at_real=real_now + LEASE)
    delivery.attempts += 1
    return updated == 1


def _try(
    together: Sequence[AlertDelivery], channel: Channel | None, *, real_now: Callable[[], datetime]
) -> list[str]:
    """Send one message and record what came of it; returns the states of its deliveries."""
    if channel is None:
        gone = "the channel is not set up any more"
        return [_settle(each, State.REFUSED, real_now(), gone) for each in together]
    spent = [each for each in together if each.attempts > MAX_ATTEMPTS]
    states = [
        _settle(each, State.GIVEN_UP, real_now(), "every try ended without an outcome")
        for each in spent
    ]
    left = [each for each in together if each not in spent]
    if not left:
        return states
    for each in left:
        each.alert.event = each.event
    alerts = [each.alert for each in left]
    outcome = attempt(left[0].channel, channel, *alerts, real_now=real_now)
    return states + [_record(each, outcome, real_now()) for each in left]


def _record(delivery: AlertDelivery, outcome: Outcome, real_now: datetime) -> str:
    if outcome.refused:
        return _settle(delivery, State.REFUSED, real_now, outcome.problem)
    if outcome.problem:
        return _later(delivery, real_now, outcome.problem, retry_after=outcome.retry_after)
    return _settle(delivery, State.SENT, real_now)


def attempt(
    name: str, channel: Channel, *alerts: Alert, real_now: Callable[[], datetime]
) -> Outcome:
    """Send one message through the channel and keep what came of it as the channel's health."""
    outcome = channel_health.outcome_of(name, lambda: _send(channel, alerts))
    if outcome.problem:
        log.error(
            "alert not delivered",
            channel=name,
            alert_id=alerts[0].pk,
            alerts=len(alerts),
            refused=outcome.refused,
            problem=outcome.problem,
        )
    if channel_health.note(name, outcome, real_now()):
        _send_refused_again(name, real_now())
    return outcome


def _send(channel: Channel, alerts: Sequence[Alert]) -> None:
    if len(alerts) > 1 and isinstance(channel, DigestChannel):
        channel.send_digest(alerts)
    else:
        for alert in alerts:
            channel.send(alert)


def _send_refused_again(channel: str, real_now: datetime) -> None:
    """What the channel refused while it was set up wrongly, and what still stands."""
    AlertDelivery.objects.filter(
        channel=channel,
        state=State.REFUSED,
        settled_at_real__gt=real_now - REFUSED_KEPT,
        attempts__lt=REFUSED_TRIES,
        alert__ended_at_real__isnull=True,
    ).update(state=State.PENDING, settled_at_real=None, next_try_at_real=real_now)


def _later(
    delivery: AlertDelivery, real_now: datetime, text: str, *, retry_after: float | None = None
) -> str:
    if delivery.attempts >= MAX_ATTEMPTS:
        return _settle(delivery, State.GIVEN_UP, real_now, text)
    pause = channel_health.pause(
        delivery.attempts, first=FIRST_PAUSE, longest=LONGEST_PAUSE, retry_after=retry_after
    )
    _fenced(delivery).update(next_try_at_real=real_now + pause, last_error=text[:300])
    return State.PENDING


def _settle(delivery: AlertDelivery, state: str, real_now: datetime, text: str = "") -> str:
    _fenced(delivery).update(state=state, settled_at_real=real_now, last_error=text[:300])
    return state


def _fenced(delivery: AlertDelivery) -> QuerySet[AlertDelivery]:
    """The row, if the try it counted is still this one."""
    return AlertDelivery.objects.filter(
        pk=delivery.pk, state=State.PENDING, attempts=delivery.attempts
    )
