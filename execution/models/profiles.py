"""How volume spreads over a session, as learned from sessions that were over."""

from django.db import models
from django.db.models import Q


class VolumeProfile(models.Model):
    """One learning of one symbol, or of all together under the empty symbol; never edited, since
    orders refer to it. The latest before an order's day holds for the order."""

    symbol = models.CharField(max_length=16, blank=True)
    # Nothing in the row knows a later session than this one.
    until = models.DateField()
    sessions = models.JSONField()  # the days learned from, oldest first
    shares = models.JSONField()  # of a regular session's volume, minute by minute; they sum to 1
    # Shares a session, by the same tape; none for all symbols together.
    mean_volume = models.FloatField(null=True, blank=True)
    expected_volume = models.FloatField(null=True, blank=True)  # of the session that follows
    # Standard deviation of the log return from close to close; unknown from few sessions.
    daily_volatility = models.FloatField(null=True, blank=True)
    # How far schedules strayed from the market's VWAP in these sessions, bps by window; see
    # `execution.domain.vwap_tracking`. Of single symbols only.
    deviations = models.JSONField(default=dict, blank=True)
    # Of all symbols together: what each special day did, by ISO day; see
    # `execution.planning.special_days`.
    special_days = models.JSONField(default=dict, blank=True)
    source = models.CharField(max_length=120)
    learned_at_real = models.DateTimeField("learned at, real time", auto_now_add=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(mean_volume__isnull=True) | Q(mean_volume__gt=0),
                name="volume_profile_mean_positive",
            ),
            models.CheckConstraint(
                condition=Q(expected_volume__isnull=True) | Q(expected_volume__gt=0),
                name="volume_profile_expected_positive",
            ),
        ]
        indexes = [
            # Read for every VWAP order: the latest of a symbol before a day.
            models.Index(fields=["symbol", "-until", "-id"], name="volume_profile_latest"),
        ]

    def __str__(self) -> str:
        return f"{self.symbol or 'all symbols'} until {self.until}"
