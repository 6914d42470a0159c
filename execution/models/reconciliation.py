"""What a comparison with the broker found. All times are real time."""

from django.db import models
from django.db.models import Q

from execution.domain.reconciliation import Kind


class BrokerAccount(models.Model):
    """One account at one broker, as it was last compared."""

    broker = models.CharField(max_length=16)
    account = models.CharField(max_length=32)
    # As the broker reported them at the last comparison.
    cash = models.DecimalField(max_digits=24, decimal_places=6, default=0)
    buying_power = models.DecimalField(max_digits=24, decimal_places=6, default=0)
    positions = models.JSONField(default=dict, blank=True)  # shares by symbol
    # What is there beside our own fills: held before we came, or accepted by a person since.
    cash_beside = models.DecimalField(max_digits=24, decimal_places=6, default=0)
    positions_beside = models.JSONField(default=dict, blank=True)
    accepted_by = models.CharField(max_length=150, blank=True)
    accepted_at_real = models.DateTimeField("accepted at, real time", null=True, blank=True)

    # Children wait for a comparison that began after this: the connection had a gap.
    due_at_real = models.DateTimeField("due at, real time", null=True, blank=True)
    compared_at_real = models.DateTimeField(
        "compared at, real time", null=True, blank=True
    )  # when the last one began
    # The same of those that read all executions of the day, too.
    thorough_at_real = models.DateTimeField("thorough at, real time", null=True, blank=True)
    failing_since_real = models.DateTimeField(
        "failing since, real time", null=True, blank=True
    )  # since when none succeeds
    problem = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["broker", "account"], name="broker_account_once")
        ]

    def __str__(self) -> str:
        return f"{self.broker} {self.account}"


class BrokerDifference(models.Model):
    """Something that the broker sees otherwise than we do; an order of somebody else is one.

    It stays while comparisons find it, and as a record after that.
    """

    broker = models.CharField(max_length=16)
    account = models.CharField(max_length=32)
    kind = models.CharField(max_length=16, choices=[(kind.value, kind.value) for kind in Kind])
    subject = models.CharField(max_length=128)  # a symbol, or an order's id
    symbol = models.CharField(max_length=32, blank=True)
    ours = models.CharField(max_length=80)
    theirs = models.CharField(max_length=80)
    gap = models.CharField(max_length=80, blank=True)  # theirs less ours, where both are numbers
    words = models.CharField(max_length=300)
    first_seen_at_real = models.DateTimeField("first seen at, real time")
    last_seen_at_real = models.DateTimeField("last seen at, real time")
    gone_at_real = models.DateTimeField("gone at, real time", null=True, blank=True)
    accepted_by = models.CharField(max_length=150, blank=True)  # who took the broker's word for it
    accepted_reason = models.CharField(max_length=300, blank=True)
    halted_at_real = models.DateTimeField(
        "halted at, real time", null=True, blank=True
    )  # its symbol was halted

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["broker", "account", "kind", "subject"],
                condition=Q(gone_at_real__isnull=True),
                name="broker_difference_once",
            )
        ]
        indexes = [
            # Read every second by whoever raises alerts.
            models.Index(
                fields=["id"], condition=Q(gone_at_real__isnull=True), name="broker_difference_open"
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.account} {self.subject}"
