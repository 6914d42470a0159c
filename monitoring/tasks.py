"""Doors for Celery: read the clocks, make one call."""

from contextlib import suppress

from celery import shared_task
from django.utils import timezone
from kombu.exceptions import KombuError as QueueError
from redis.exceptions import RedisError

from deepstack.config import current
from execution.market import market_data
from execution.risk import recovery_mode
from monitoring.alerting import deliveries, surveillance, thresholds, unread_events
from monitoring.channels import configured
from monitoring.clocks import Moment
from monitoring.replays import replays
from monitoring.reporting import daily_reports, daily_summaries
from monitoring.webhooks import sending


# Every second: its events would leave no room in Flower for those of slices.
@shared_task(send_events=False)
def evaluate_alerts() -> None:
    """One evaluation, unless one has just run: a heap of these tasks is worth one. Alerts that
    must leave are handed to `send_alerts`, which may wait for a channel."""
    if not unread_events.take_turn():
        return
    recovery_mode.check()
    recovery_mode.note_newest_event()
    moment, config = Moment.read(), current()
    surveillance.evaluate(
        moment=moment,
        config=config,
        limits=thresholds.of(config, moment),
        market=market_data(),
    )
    for name in sending.with_work(config.webhooks.receivers, real_now=timezone.now()):
        # Without Redis the next evaluation asks again: the stream of events waits for it.
        with suppress(QueueError, RedisError):
            send_order_events.delay(name)
    if deliveries.any_due(real_now=timezone.now()):
        try:
            send_alerts.delay()
        except (QueueError, RedisError):
            send_alerts()  # a Redis that refuses writes must not keep back the alert about it


@shared_task
def send_alerts() -> None:
    deliveries.deliver_due(real_now=timezone.now, channels=configured(current()))


# As often as alerts are evaluated, while a receiver of order events is set up.
@shared_task(send_events=False)
def send_order_events(receiver: str) -> None:
    found = current().webhooks.receivers.get(receiver)
    if found is not None:
        sending.send_due(receiver, found, real_now=timezone.now)


# The names of release 1.0: messages of that release may be under way. They go with the next one.
@shared_task(name="monitoring.tasks.watch", send_events=False)
def _watch() -> None:
    evaluate_alerts()


@shared_task(name="monitoring.tasks.deliver")
def _deliver() -> None:
    send_alerts()


@shared_task
def build_summaries() -> None:
    moment = Moment.read()
    sending.forget_old(real_now=moment.real_now)
    daily_summaries.build_missing(
        moment.now, real_now=moment.real_now, limits=thresholds.of(current(), moment)
    )
    if daily_reports.any_wanted(current()):
        # Which fails with Redis: the next turn asks again.
        with suppress(QueueError, RedisError):
            send_daily_reports.delay()


@shared_task
def send_daily_reports() -> None:
    config = current()
    daily_reports.send_due(moment=Moment.read(), config=config, channels=configured(config))


@shared_task
def replay_orders() -> None:
    """A turn of the night's work: see `replays.replay_due`."""
    replays.replay_due(moment=Moment.read(), market=market_data(), config=current())
