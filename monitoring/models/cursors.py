"""How far the orders' events have been read."""

from django.db import models
from django.db.models import Q


class EventCursor(models.Model):
    """How far the evaluation has read the orders' events, and when it last ran.

    Times are of the database's clock.
    """

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    # No event with a number up to this one can be new.
    event_id = models.BigIntegerField(default=0)
    # The next such number, once every transaction of that moment has ended.
    next_event_id = models.BigIntegerField(default=0)
    next_noted_at_real = models.DateTimeField(
        "next position noted, real time", null=True, blank=True
    )
    # The oldest transaction that was under way at the last evaluation; all earlier ones were seen.
    seen_until = models.BigIntegerField(null=True, blank=True)
    evaluated_at_real = models.DateTimeField("last evaluation, real time", null=True, blank=True)

    class Meta:
        verbose_name = "event cursor (internal)"
        verbose_name_plural = "event cursors (internal)"
        constraints = [models.CheckConstraint(condition=Q(id=1), name="watch_mark_only_one")]

    def __str__(self) -> str:
        return f"events up to {self.event_id}"


class MetricTotals(models.Model):
    """What the counters of /metrics have counted since the first scrape, and up to which event."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    cursor = models.JSONField(default=dict)
    totals = models.JSONField(default=dict)  # by the counter's name and the values of its labels
    counted_at_real = models.DateTimeField("last counted, real time", null=True, blank=True)

    class Meta:
        verbose_name = "metric totals (internal)"
        verbose_name_plural = "metric totals (internal)"
        constraints = [models.CheckConstraint(condition=Q(id=1), name="metric_totals_only_one")]

    def __str__(self) -> str:
        return f"metrics counted up to {self.counted_at_real}"
