"""Order events on their way to other programs."""

from django.db import models
from django.db.models import Q


class WebhookPosition(models.Model):
    """How far one receiver of order events has come; columns as `event_feed.Cursor`."""

    receiver = models.CharField(max_length=24, primary_key=True)
    transaction = models.BigIntegerField()
    event_id = models.BigIntegerField()
    floor = models.BigIntegerField()
    next_floor = models.BigIntegerField()
    noted_at_real = models.DateTimeField("floor noted at, real time")
    read_at_real = models.DateTimeField("read at, real time")

    def __str__(self) -> str:
        return f"{self.receiver} behind event {self.event_id}"


class WebhookDelivery(models.Model):
    """Some events of orders, sent to one receiver as one message."""

    class State(models.TextChoices):
        PENDING = "PENDING"
        SENT = "SENT"
        GIVEN_UP = "GIVEN_UP"  # the receiver took it for too long not

    receiver = models.CharField(max_length=24)
    events = models.JSONField()  # their numbers, in the order in which they are sent
    state = models.CharField(max_length=8, choices=State.choices, default=State.PENDING)
    attempts = models.PositiveIntegerField(default=0)  # counted before each try
    created_at_real = models.DateTimeField("created at, real time")
    next_try_at_real = models.DateTimeField("next try, real time")
    settled_at_real = models.DateTimeField("settled at, real time", null=True, blank=True)
    last_error = models.CharField(max_length=300, blank=True)

    class Meta:
        verbose_name_plural = "webhook deliveries"
        indexes = [
            # Read by the sender: the oldest that is left.
            models.Index(
                fields=["receiver", "id"], condition=Q(state="PENDING"), name="webhook_pending"
            ),
            models.Index(fields=["settled_at_real"], name="webhook_settled"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(state="PENDING", settled_at_real__isnull=True)
                | Q(state__in=["SENT", "GIVEN_UP"], settled_at_real__isnull=False),
                name="webhook_settled_means_done",
            )
        ]

    def __str__(self) -> str:
        return f"{self.receiver} {self.pk} {self.state}"
