"""Alerts, and the way of each to a person."""

from django.db import models
from django.db.models import Q

from execution.models import Order
from monitoring.alerting.rules import AlertSeverity


class Alert(models.Model):
    """A finding that a person should see; active until somebody acknowledges it, or until what it
    reports has ended."""

    kind = models.CharField(max_length=24)  # an AlertKind; a new rule needs no migration
    severity = models.CharField(max_length=8, choices=[(level, level) for level in AlertSeverity])
    message = models.CharField(max_length=1000)  # what is so, and what to do about it
    account = models.CharField(max_length=32, blank=True)  # empty: it concerns every account
    order = models.ForeignKey(
        Order, on_delete=models.PROTECT, null=True, blank=True, related_name="alerts"
    )
    data = models.JSONField(default=dict, blank=True)
    # The same finding is one alert, whatever its severity becomes.
    dedupe_key = models.CharField(max_length=400)
    raised_at = models.DateTimeField()
    raised_at_real = models.DateTimeField("recorded at, real time")
    acknowledged_by = models.CharField(max_length=150, blank=True)
    acknowledged_at_real = models.DateTimeField("acknowledged at, real time", null=True, blank=True)
    note = models.CharField(max_length=300, blank=True)  # of whoever acknowledged it
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_at_real = models.DateTimeField("end recorded at, real time", null=True, blank=True)
    ended_because = models.CharField(max_length=300, blank=True)

    # Which of its events a channel announces; an AlertDelivery.Event.
    event = "RAISED"

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["dedupe_key"],
                condition=Q(ended_at_real__isnull=True),
                name="alert_standing_once",
            ),
            models.CheckConstraint(
                condition=Q(ended_at_real__isnull=True, ended_at__isnull=True, ended_because="")
                | (Q(ended_at_real__isnull=False, ended_at__isnull=False) & ~Q(ended_because="")),
                name="alert_ended_for_a_reason",
            ),
            models.CheckConstraint(
                condition=Q(severity__in=list(AlertSeverity)), name="alert_severity_known"
            ),
            models.CheckConstraint(
                condition=Q(acknowledged_at_real__isnull=True, acknowledged_by="")
                | (Q(acknowledged_at_real__isnull=False) & ~Q(acknowledged_by="")),
                name="alert_acknowledged_by_somebody",
            ),
        ]
        indexes = [
            # Read by the dashboard: what is active.
            models.Index(
                fields=["severity"],
                condition=Q(acknowledged_at_real__isnull=True, ended_at_real__isnull=True),
                name="alert_active",
            ),
            # Read at every evaluation: what may have ended.
            models.Index(
                fields=["kind", "order"],
                condition=Q(ended_at_real__isnull=True),
                name="alert_standing",
            ),
            # Read when a finding is raised: whether it has just ended.
            models.Index(fields=["dedupe_key"], name="alert_finding"),
            # Read by the summaries: what was raised in a day.
            models.Index(fields=["raised_at"], name="alert_raised"),
        ]

    def __str__(self) -> str:
        return f"{self.severity} {self.kind}: {self.message}"

    @property
    def active(self) -> bool:
        return self.acknowledged_at_real is None and self.ended_at_real is None

    @property
    def text(self) -> str:
        """What a channel says."""
        if self.event != "ENDED":
            return self.message
        return f"ended, {self.ended_because}: {self.message}"


# What is active: the same as `Alert.active`, for queries.
ACTIVE = Q(acknowledged_at_real__isnull=True, ended_at_real__isnull=True)


class AlertDelivery(models.Model):
    """One event of an alert on its way through one channel."""

    class Event(models.TextChoices):
        RAISED = "RAISED"
        ESCALATED = "ESCALATED"
        ENDED = "ENDED"

    class State(models.TextChoices):
        PENDING = "PENDING"
        SENT = "SENT"
        REFUSED = "REFUSED"  # the channel said that it will never take it
        GIVEN_UP = "GIVEN_UP"  # temporary failures, too many of them

    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, related_name="deliveries")
    channel = models.CharField(max_length=32)
    event = models.CharField(max_length=9, choices=Event.choices, default=Event.RAISED)
    state = models.CharField(max_length=8, choices=State.choices, default=State.PENDING)
    # Counted before each try, so that a process that dies in one cannot try for ever.
    attempts = models.PositiveIntegerField(default=0)
    # The next try; while one is under way, the moment from which another may begin.
    next_try_at_real = models.DateTimeField("next try, real time")
    settled_at_real = models.DateTimeField("settled at, real time", null=True, blank=True)
    last_error = models.CharField(max_length=300, blank=True)

    class Meta:
        verbose_name_plural = "alert deliveries"
        constraints = [
            models.UniqueConstraint(
                fields=["alert", "channel", "event"], name="delivery_channel_once"
            ),
            models.CheckConstraint(
                condition=Q(event__in=["RAISED", "ESCALATED", "ENDED"]), name="delivery_event_known"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["PENDING", "SENT", "REFUSED", "GIVEN_UP"]),
                name="delivery_state_known",
            ),
            models.CheckConstraint(
                condition=Q(state="PENDING", settled_at_real__isnull=True)
                | (~Q(state="PENDING") & Q(settled_at_real__isnull=False)),
                name="delivery_settled_means_done",
            ),
        ]
        indexes = [
            # Read by the deliverer: what is due.
            models.Index(
                fields=["next_try_at_real"], condition=Q(state="PENDING"), name="delivery_due"
            )
        ]

    def __str__(self) -> str:
        return f"{self.alert_id} {self.channel} {self.event} {self.state}"


class ChannelHealth(models.Model):
    """What came of the last tries to reach a person through one channel."""

    channel = models.CharField(max_length=32, primary_key=True)
    sent_at_real = models.DateTimeField("last sent, real time", null=True, blank=True)
    # The first failure since then.
    failing_since_real = models.DateTimeField("failing since, real time", null=True, blank=True)
    refused = models.BooleanField(default=False)  # it will not heal by waiting
    failures = models.PositiveIntegerField(default=0)
    problem = models.CharField(max_length=300, blank=True)

    class Meta:
        verbose_name_plural = "alert channels"

    def __str__(self) -> str:
        return f"{self.channel}: {self.problem or 'ok'}"
