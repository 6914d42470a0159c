"""What was noticed: alerts and their deliveries, the cost of each order, the summary of each day.

Times without a word are trading time; columns that end in `_wall` are real time.
"""

from decimal import Decimal

from django.db import models
from django.db.models import Q

from execution.models import Order
from monitoring.alerting.rules import AlertSeverity


class Alert(models.Model):
    """A finding that a person should see; active until somebody acknowledges it, or until what it
    tells of has ended."""

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
    raised_wall = models.DateTimeField("recorded at, real time")
    acknowledged_by = models.CharField(max_length=150, blank=True)
    acknowledged_wall = models.DateTimeField("acknowledged at, real time", null=True, blank=True)
    note = models.CharField(max_length=300, blank=True)  # of whoever acknowledged it
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_wall = models.DateTimeField("end recorded at, real time", null=True, blank=True)
    ended_because = models.CharField(max_length=300, blank=True)

    # Which of its events a channel is to tell; an AlertDelivery.News.
    news = "RAISED"

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["dedupe_key"],
                condition=Q(ended_wall__isnull=True),
                name="alert_standing_once",
            ),
            models.CheckConstraint(
                condition=Q(ended_wall__isnull=True, ended_at__isnull=True, ended_because="")
                | (Q(ended_wall__isnull=False, ended_at__isnull=False) & ~Q(ended_because="")),
                name="alert_ended_for_a_reason",
            ),
            models.CheckConstraint(
                condition=Q(severity__in=list(AlertSeverity)), name="alert_severity_known"
            ),
            models.CheckConstraint(
                condition=Q(acknowledged_wall__isnull=True, acknowledged_by="")
                | (Q(acknowledged_wall__isnull=False) & ~Q(acknowledged_by="")),
                name="alert_acknowledged_by_somebody",
            ),
        ]
        indexes = [
            # Read by the dashboard: what is active.
            models.Index(
                fields=["severity"],
                condition=Q(acknowledged_wall__isnull=True, ended_wall__isnull=True),
                name="alert_active",
            ),
            # Read at every evaluation: what may have ended.
            models.Index(
                fields=["kind", "order"],
                condition=Q(ended_wall__isnull=True),
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
        return self.acknowledged_wall is None and self.ended_wall is None

    @property
    def told(self) -> str:
        """What a channel says."""
        if self.news != "ENDED":
            return self.message
        return f"ended, {self.ended_because}: {self.message}"


# What is active: the same as `Alert.active`, for queries.
ACTIVE = Q(acknowledged_wall__isnull=True, ended_wall__isnull=True)


class AlertDelivery(models.Model):
    """One event of an alert on its way through one channel."""

    class News(models.TextChoices):
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
    news = models.CharField("event", max_length=9, choices=News.choices, default=News.RAISED)
    state = models.CharField(max_length=8, choices=State.choices, default=State.PENDING)
    # Counted before each try, so that a process that dies in one cannot try for ever.
    attempts = models.PositiveIntegerField(default=0)
    # The next try; while one is under way, the moment from which another may begin.
    next_try_wall = models.DateTimeField("next try, real time")
    settled_wall = models.DateTimeField("settled at, real time", null=True, blank=True)
    last_error = models.CharField(max_length=300, blank=True)

    class Meta:
        verbose_name_plural = "alert deliveries"
        constraints = [
            models.UniqueConstraint(
                fields=["alert", "channel", "news"], name="delivery_channel_once"
            ),
            models.CheckConstraint(
                condition=Q(news__in=["RAISED", "ESCALATED", "ENDED"]), name="delivery_news_known"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["PENDING", "SENT", "REFUSED", "GIVEN_UP"]),
                name="delivery_state_known",
            ),
            models.CheckConstraint(
                condition=Q(state="PENDING", settled_wall__isnull=True)
                | (~Q(state="PENDING") & Q(settled_wall__isnull=False)),
                name="delivery_settled_means_done",
            ),
        ]
        indexes = [
            # Read by the deliverer: what is due.
            models.Index(
                fields=["next_try_wall"], condition=Q(state="PENDING"), name="delivery_due"
            )
        ]

    def __str__(self) -> str:
        return f"{self.alert_id} {self.channel} {self.news} {self.state}"


class ChannelHealth(models.Model):
    """What came of the last tries to reach a person through one channel."""

    channel = models.CharField(max_length=32, primary_key=True)
    sent_wall = models.DateTimeField("last sent, real time", null=True, blank=True)
    # The first failure since then.
    failing_wall = models.DateTimeField("failing since, real time", null=True, blank=True)
    refused = models.BooleanField(default=False)  # it will not heal by waiting
    failures = models.PositiveIntegerField(default=0)
    problem = models.CharField(max_length=300, blank=True)

    class Meta:
        verbose_name_plural = "alert channels"

    def __str__(self) -> str:
        return f"{self.channel}: {self.problem or 'ok'}"


class WebhookPosition(models.Model):
    """How far one receiver of order events has come; columns as `event_feed.Cursor`."""

    receiver = models.CharField(max_length=24, primary_key=True)
    transaction = models.BigIntegerField()
    event_id = models.BigIntegerField()
    floor = models.BigIntegerField()
    next_floor = models.BigIntegerField()
    noted_wall = models.DateTimeField("floor noted at, real time")
    read_wall = models.DateTimeField("read at, real time")

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
    created_wall = models.DateTimeField("created at, real time")
    next_try_wall = models.DateTimeField("next try, real time")
    settled_wall = models.DateTimeField("settled at, real time", null=True, blank=True)
    last_error = models.CharField(max_length=300, blank=True)

    class Meta:
        verbose_name_plural = "webhook deliveries"
        indexes = [
            # Read by the sender: the oldest that is left.
            models.Index(
                fields=["receiver", "id"], condition=Q(state="PENDING"), name="webhook_pending"
            ),
            models.Index(fields=["settled_wall"], name="webhook_settled"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(state="PENDING", settled_wall__isnull=True)
                | Q(state__in=["SENT", "GIVEN_UP"], settled_wall__isnull=False),
                name="webhook_settled_means_done",
            )
        ]

    def __str__(self) -> str:
        return f"{self.receiver} {self.pk} {self.state}"


def _money() -> "models.DecimalField[Decimal | None, Decimal | None]":
    return models.DecimalField(max_digits=26, decimal_places=6, null=True, blank=True)


def _bps() -> "models.DecimalField[Decimal | None, Decimal | None]":
    return models.DecimalField(max_digits=24, decimal_places=4, null=True, blank=True)


class CostAnalysis(models.Model):
    """The transaction cost analysis of one order; + = cost, null = not known.

    So far, while the order is live. Written again whenever a later event of the order, such as a
    late fill or commission, or a later price changes it.
    """

    order = models.OneToOneField(
        Order, on_delete=models.PROTECT, primary_key=True, related_name="cost"
    )
    event_id = models.BigIntegerField()  # the order's last event that is accounted for
    # Null: the figures are final.
    due_wall = models.DateTimeField("next computation, real time", null=True, blank=True)
    attempts = models.PositiveIntegerField(default=0)
    computed_wall = models.DateTimeField("computed at, real time", null=True, blank=True)

    average_price = _money()
    market_vwap = _money()
    market_twap = _money()
    market_volume = models.BigIntegerField(null=True, blank=True)
    final_price = _money()  # the mid when the order ended
    # Money.
    delay = _money()
    trading = _money()
    opportunity = _money()
    fees = _money()
    shortfall_bps = _bps()
    arrival_bps = _bps()
    vwap_bps = _bps()
    twap_bps = _bps()
    participation = models.DecimalField(max_digits=18, decimal_places=8, null=True, blank=True)
    pwp_price = _money()  # at a participation of 20 %
    pwp_bps = _bps()
    pwp5_bps = _bps()
    pwp10_bps = _bps()
    open_bps = _bps()  # against the first trade of the day's regular session
    close_bps = _bps()  # against its last one
    # The mean share of the quoted spread that its executions kept; 0 at the far touch.
    spread_capture = models.DecimalField(max_digits=12, decimal_places=4, null=True, blank=True)
    relative_performance = models.DecimalField(
        max_digits=9, decimal_places=8, null=True, blank=True
    )
    reversion_bps = _bps()  # over five minutes after the end
    late_reversion_bps = _bps()  # over thirty
    # Null: the close and the late reversion are known, or nothing is left to ask for.
    late_due_wall = models.DateTimeField("late benchmarks due, real time", null=True, blank=True)

    class Meta:
        verbose_name_plural = "cost analyses"
        constraints = [
            models.CheckConstraint(
                condition=Q(relative_performance__isnull=True)
                | Q(relative_performance__gte=0, relative_performance__lte=1),
                name="cost_relative_performance_is_a_share",
            )
        ]
        indexes = [
            # Read at every evaluation: what is to be computed.
            models.Index(fields=["due_wall"], condition=Q(due_wall__isnull=False), name="cost_due"),
            models.Index(
                fields=["late_due_wall"],
                condition=Q(late_due_wall__isnull=False),
                name="cost_late_due",
            ),
        ]

    def __str__(self) -> str:
        return f"cost of order {self.order_id}"

    @property
    def final(self) -> bool:
        """Over, and nothing is expected to change it any more."""
        return self.due_wall is None and self.order.is_terminal

    @property
    def preliminary(self) -> bool:
        """The market data of the window are not complete yet: the figures may change."""
        return not self.final


class WatchMark(models.Model):
    """How far the evaluation has read the orders' events, and when it last ran.

    Times are of the database's clock.
    """

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    # No event with a number up to this one can be new.
    event_id = models.BigIntegerField(default=0)
    # The next such number, once every transaction of that moment has ended.
    coming_id = models.BigIntegerField(default=0)
    coming_wall = models.DateTimeField("next position noted, real time", null=True, blank=True)
    # The oldest transaction that was under way at the last evaluation; all earlier ones were seen.
    seen_until = models.BigIntegerField(null=True, blank=True)
    looked_wall = models.DateTimeField("last evaluation, real time", null=True, blank=True)

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
    counted_wall = models.DateTimeField("last counted, real time", null=True, blank=True)

    class Meta:
        verbose_name = "metric totals (internal)"
        verbose_name_plural = "metric totals (internal)"
        constraints = [models.CheckConstraint(condition=Q(id=1), name="metric_totals_only_one")]

    def __str__(self) -> str:
        return f"metrics counted up to {self.counted_wall}"


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
    slippage_bps = _bps()
    vwap_bps = _bps()
    shortfall_bps = _bps()
    alerts_generated = models.PositiveIntegerField()
    quality_score = models.FloatField()
    grade = models.CharField(max_length=3)
    figures = models.JSONField()  # all of the above and the rest, as the report shows them
    built_wall = models.DateTimeField("built at, real time")

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


class ReportDelivery(models.Model):
    """The report of one day's costs on its way through one channel."""

    channel = models.CharField(max_length=32)
    account = models.CharField(max_length=32, blank=True)  # empty: all accounts
    date = models.DateField()
    # Counted before each try, so that a process that dies in one cannot try for ever.
    attempts = models.PositiveIntegerField(default=0)
    next_try_wall = models.DateTimeField("next try, real time")
    sent_wall = models.DateTimeField("sent at, real time", null=True, blank=True)
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


class DayCosts(models.Model):
    """The sums that reports over many days add up: of one account and one exchange date.

    Written with the day's summary, and again with it.
    """

    summary = models.OneToOneField(
        DailySummary, on_delete=models.CASCADE, primary_key=True, related_name="costs"
    )
    # The names of the measures when it was written: with others it is written again.
    measures = models.JSONField()
    groups = models.JSONField()  # by grouping and group: `cost_report.groups.Group.as_json`
    # The dearest orders, the dearest first: id and money, as text.
    worst = models.JSONField()

    class Meta:
        verbose_name = "day's costs (internal)"
        verbose_name_plural = "days' costs (internal)"

    def __str__(self) -> str:
        return f"costs of {self.summary_id}"
