"""The market as every process of a trial sees it."""

from django.db import models
from django.db.models import F, Q

from execution.domain.exchange_time import exchange_time


class Bar(models.Model):
    """One minute of trading, labelled by its start."""

    symbol = models.CharField(max_length=16)
    start_at = models.DateTimeField()
    open = models.DecimalField(max_digits=18, decimal_places=6)
    high = models.DecimalField(max_digits=18, decimal_places=6)
    low = models.DecimalField(max_digits=18, decimal_places=6)
    close = models.DecimalField(max_digits=18, decimal_places=6)
    volume = models.BigIntegerField()
    vwap = models.DecimalField(max_digits=18, decimal_places=6, null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["symbol", "start_at"], name="bar_minute_once"),
            models.CheckConstraint(
                condition=Q(low__gt=0) & Q(high__gte=F("low")) & Q(volume__gte=0),
                name="bar_sane",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.symbol} {exchange_time(self.start_at)}"


class MarketClock(models.Model):
    """Trading time in a trial: `anchor + (real - real_anchor) * speed`. No row: real time."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    anchor = models.DateTimeField()
    real_anchor = models.DateTimeField("anchor in real time")
    speed = models.FloatField(default=1.0)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(id=1), name="market_clock_only_one"),
            models.CheckConstraint(condition=Q(speed__gt=0), name="market_clock_runs_forward"),
        ]

    def __str__(self) -> str:
        return f"{exchange_time(self.anchor)} x{self.speed:g}"


class MarketHalt(models.Model):
    """The exchange has halted trading in a symbol, or in all with the symbol `*`. An end that is
    empty: it is not over."""

    symbol = models.CharField(max_length=16)
    start_at = models.DateTimeField()
    end_at = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=200)
    # The source of market data or the broker that reports it; empty: a person entered it.
    source = models.CharField(max_length=16, blank=True, default="", db_default="")

    class Meta:
        verbose_name = "trading halt"
        constraints = [
            models.CheckConstraint(
                condition=Q(end_at__isnull=True) | Q(end_at__gt=F("start_at")),
                name="market_halt_not_empty",
            ),
            models.UniqueConstraint(
                fields=["source", "symbol"],
                condition=Q(end_at__isnull=True) & ~Q(source=""),
                name="market_halt_reported_once",
            ),
        ]

    def __str__(self) -> str:
        until = f" until {exchange_time(self.end_at)}" if self.end_at else ""
        return f"{self.symbol} halted from {exchange_time(self.start_at)}{until}"


class CalendarOverride(models.Model):
    """A day on which the exchange keeps other hours than its published calendar says."""

    day = models.DateField(unique=True)
    closed = models.BooleanField(default=False)
    # New York time; empty keeps the calendar's.
    open = models.TimeField(null=True, blank=True)
    close = models.TimeField(null=True, blank=True)
    reason = models.CharField(max_length=300)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(open__isnull=True) | Q(close__isnull=True) | Q(close__gt=F("open")),
                name="calendar_override_not_empty",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.day} {'closed' if self.closed else f'{self.open} to {self.close}'}"
