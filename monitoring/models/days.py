"""What a day came to."""

from django.db import models
from django.db.models import Q

from monitoring.models.costs import bps


class DailySummary(models.Model):
    """The figures of one account and one exchange date that is over."""

    account = models.CharField(max_length=32)
    date = models.DateField()
    total_executions = models.PositiveIntegerField()  # orders that ended on the date
    filled_orders = models.PositiveIntegerField()
    failed_orders = models.PositiveIntegerField()
    total_volume = models.BigIntegerField()  # shares
    total_value = models.DecimalField(max_digits=24, decimal_places=6)
    commission = models.DecimalField(max_digits=18, decimal_places=6)
    slippage_bps = bps()
    vwap_bps = bps()
    shortfall_bps = bps()
    alerts_generated = models.PositiveIntegerField()
    quality_score = models.FloatField()
    grade = models.CharField(max_length=3)
    figures = models.JSONField()  # all of the above and the rest, as the report shows them
    built_at_real = models.DateTimeField("built at, real time")

    class Meta:
        verbose_name_plural = "daily summaries"
        ordering = ["-date", "account"]
        constraints = [
            models.UniqueConstraint(fields=["account", "date"], name="summary_once_a_day"),
            models.CheckConstraint(
                condition=Q(total_executions__gte=models.F("filled_orders")),
                name="summary_filled_within_total",
            ),
            models.CheckConstraint(
                condition=Q(total_volume__gte=0, total_value__gte=0), name="summary_not_negative"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.account} {self.date}"

    @property
    def success_rate(self) -> float:
        """Filled orders over finished orders; 0.0 when none finished."""
        return self.filled_orders / self.total_executions if self.total_executions else 0.0


class DayCosts(models.Model):
    """The sums that reports over many days add up: of one account and one exchange date.

    Written with the day's summary, and again with it.
    """

    summary = models.OneToOneField(
        DailySummary, on_delete=models.CASCADE, primary_key=True, related_name="costs"
    )
    # The names of the measures and groupings when it was written: with others it is written again.
    measures = models.JSONField()
    groups = models.JSONField()  # by grouping and group: `cost_report.groups.Group.as_json`
    # The dearest orders, the dearest first: id and money, as text.
    worst = models.JSONField()

    class Meta:
        verbose_name = "day's costs (internal)"
        verbose_name_plural = "days' costs (internal)"

    def __str__(self) -> str:
        return f"costs of {self.summary_id}"


class ReportDelivery(models.Model):
    """The report of one day's costs on its way through one channel."""

    channel = models.CharField(max_length=32)
    account = models.CharField(max_length=32, blank=True)  # empty: all accounts
    date = models.DateField()
    # Counted before each try, so that a process that dies in one cannot try for ever.
    attempts = models.PositiveIntegerField(default=0)
    next_try_at_real = models.DateTimeField("next try, real time")
    sent_at_real = models.DateTimeField("sent at, real time", null=True, blank=True)
    problem = models.CharField(max_length=300, blank=True)

    class Meta:
        verbose_name_plural = "report deliveries"
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["channel", "account", "date"], name="report_channel_once_a_day"
            )
        ]

    def __str__(self) -> str:
        return f"{self.date} {self.account} {self.channel}".replace("  ", " ")
