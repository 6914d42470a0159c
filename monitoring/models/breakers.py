"""Circuit breakers that tripped."""

from django.db import models
from django.db.models import Q


class BreakerTrip(models.Model):
    """A circuit breaker that tripped: what it measured and held, and who let it go on."""

    breaker = models.CharField(max_length=24)
    scope = models.CharField(max_length=8)  # ORDER, or a scope of the trading states
    key = models.CharField(max_length=64, blank=True)
    account = models.CharField(max_length=32, blank=True)
    measured = models.DecimalField(max_digits=24, decimal_places=6)
    threshold = models.DecimalField(max_digits=24, decimal_places=6)
    words = models.CharField(max_length=300)
    tripped_at = models.DateTimeField()
    tripped_at_real = models.DateTimeField("tripped at, real time")
    cooldown_until_real = models.DateTimeField("cool-down until, real time")
    resumed_at_real = models.DateTimeField("resumed at, real time", null=True, blank=True)
    resumed_by = models.CharField(max_length=150, blank=True)
    resumed_reason = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["breaker", "scope", "key"],
                condition=Q(resumed_at_real__isnull=True),
                name="breaker_trip_open_once",
            ),
            models.CheckConstraint(
                condition=Q(resumed_at_real__isnull=True, resumed_by="")
                | (Q(resumed_at_real__isnull=False) & ~Q(resumed_by="")),
                name="breaker_resumed_by_somebody",
            ),
        ]
        indexes = [
            # Read at every evaluation: what was resumed lately.
            models.Index(fields=["tripped_at_real"], name="breaker_trip_recent")
        ]

    def __str__(self) -> str:
        return f"{self.breaker} {self.scope} {self.key}".strip()
