"""Doors for Celery: read the clocks, make one call."""

from celery import shared_task
from django.utils import timezone

from deepstack.config import current
from execution.market import market_data
from monitoring import deliveries, summaries, thresholds
from monitoring import watch as watching
from monitoring.channels import configured
from monitoring.moment import Moment


@shared_task
def watch() -> None:
    """One look; alerts that must leave are handed to `deliver`, which may wait for a channel."""
    moment, config = Moment.read(), current()
    watching.look(
        moment=moment,
        config=config,
        limits=thresholds.of(config, moment),
        market=market_data(),
    )
    if deliveries.any_due(wall=timezone.now()):
        deliver.delay()


@shared_task
def deliver() -> None:
    deliveries.deliver_due(wall=timezone.now, channels=configured(current()))


@shared_task
def build_summaries() -> None:
    moment = Moment.read()
    summaries.build_missing(moment.now, wall=moment.wall, limits=thresholds.of(current(), moment))
