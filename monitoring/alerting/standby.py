"""The evaluation that needs neither Celery nor Redis: it runs while no other does.

It runs in each dispatch process. What the ordinary one would find it finds too, except for what
must ask the market; and it says when PostgreSQL takes no write, which no stored alert can.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from django.db import Error, connection
from django.utils import timezone

from deepstack.config import Config, current
from deepstack.database.sessions import in_words
from monitoring.alerting import (
    alerts,
    deliveries,
    process_rules,
    surveillance,
    thresholds,
    unread_events,
)
from monitoring.channels import configured
from monitoring.channels.base import ChannelRefused, ChannelUnavailable
from monitoring.clocks import Moment

log = structlog.get_logger(__name__)

EVERY = 1.0  # seconds
UNEVALUATED = timedelta(seconds=3)
# A delivery that has been due for so long is left lying by whoever should have taken it.
UNDELIVERED = timedelta(seconds=3)
LASTING = timedelta(seconds=3)  # what is over sooner, such as a failover's first blink, is no loss


@dataclass(slots=True)
class _Loss:
    """PostgreSQL took no write since; `said` once a person was alerted."""

    since: datetime
    why: str
    said: bool = False


@dataclass(slots=True)
class Standby:
    config: Config = field(default_factory=current)
    real_now: Callable[[], datetime] = timezone.now
    _loss: _Loss | None = None

    def turn(self) -> None:
        """One evaluation and one round of deliveries, as far as no other process does them. What
        nobody else evaluates, nobody else delivers: it leaves at once."""
        try:
            alone = unread_events.take_turn(UNEVALUATED)
            if alone:
                self._evaluate()
            self._tell_end_of_loss()
            lying = timedelta(0) if alone else UNDELIVERED
            if deliveries.any_due(real_now=self.real_now() - lying):
                deliveries.deliver_due(real_now=self.real_now, channels=configured(self.config))
        except Error as error:
            connection.close()
            self._note_loss(error)

    def _evaluate(self) -> None:
        moment = Moment.read()
        surveillance.notice(
            moment=moment, config=self.config, limits=thresholds.of(self.config, moment)
        )

    def _note_loss(self, error: Error) -> None:
        self._loss = self._loss or _Loss(self.real_now(), in_words(error))
        loss = self._loss
        log.warning("alerts wait for PostgreSQL", why=loss.why, error=str(error).strip())
        if not loss.said and self.real_now() - loss.since >= LASTING:
            loss.said = True
            self._say(loss)

    def _say(self, loss: _Loss) -> None:
        """Straight to the channels: an alert without an id, since it cannot be stored yet."""
        finding = process_rules.database_away(why=loss.why, since=loss.since, until=None)
        unstored = alerts.unstored(finding, moment=Moment(now=loss.since, real_now=loss.since))
        for name, channel in configured(self.config).items():
            try:
                channel.send(unstored)
            except (ChannelUnavailable, ChannelRefused) as error:
                log.error("an alert was not taken", channel=name, error=str(error))

    def _tell_end_of_loss(self) -> None:
        """What was lost for a while is stored as an alert once it is over."""
        loss, now = self._loss, self.real_now()
        if loss is not None and now - loss.since >= LASTING:
            finding = process_rules.database_away(why=loss.why, since=loss.since, until=now)
            alerts.raise_all([finding], moment=Moment.read(), config=self.config)
        self._loss = None


def run(ended: threading.Event) -> None:
    """Until the event is set; nothing that goes wrong in one turn ends it."""
    standby = Standby()
    while not ended.wait(EVERY):
        try:
            standby.turn()
        except Exception:  # nobody else evaluates when it does
            log.exception("the standby evaluation failed")
