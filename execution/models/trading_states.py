"""Who may trade, and which processes are alive."""

from django.db import models

from execution.models.orders import Via


class TradingState(models.Model):
    """The kill switch of one scope; the strictest that applies to an order wins."""

    class Scope(models.TextChoices):
        SYSTEM = "SYSTEM"
        ACCOUNT = "ACCOUNT"
        STRATEGY = "STRATEGY"
        SYMBOL = "SYMBOL"

    class State(models.TextChoices):
        ACTIVE = "ACTIVE"
        REDUCING = "REDUCING"  # only orders that bring a position closer to zero
        HALTED = "HALTED"

    scope = models.CharField(max_length=8, choices=Scope.choices)
    key = models.CharField(max_length=64, blank=True)  # empty for SYSTEM
    state = models.CharField(max_length=8, choices=State.choices)
    reason = models.CharField(max_length=300)
    changed_by = models.CharField(max_length=150)
    changed_at_real = models.DateTimeField("changed at, real time", auto_now=True)
    # A halt by a circuit breaker is lifted by a person, and not before its cool-down is over.
    not_before_real = models.DateTimeField("cool-down until, real time", null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["scope", "key"], name="trading_state_scope_once"),
            models.CheckConstraint(
                condition=models.Q(state__in=["ACTIVE", "REDUCING", "HALTED"]),
                name="trading_state_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.scope} {self.key} {self.state}".replace("  ", " ")


class TradingStateChange(models.Model):
    """Who changed a trading state, from what to what, and why; never edited."""

    scope = models.CharField(max_length=8, choices=TradingState.Scope.choices)
    key = models.CharField(max_length=64, blank=True)
    before = models.CharField(max_length=8, choices=TradingState.State.choices)
    after = models.CharField(max_length=8, choices=TradingState.State.choices)
    reason = models.CharField(max_length=300)
    changed_by = models.CharField(max_length=150)
    changed_via = models.CharField(max_length=8, choices=Via.choices, blank=True)
    changed_at_real = models.DateTimeField("changed at, real time", auto_now_add=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.scope} {self.key} {self.before} to {self.after}".replace("  ", " ")


class Heartbeat(models.Model):
    """The last sign of life of one process."""

    class Kind(models.TextChoices):
        WORKER = "WORKER"
        DISPATCH = "DISPATCH"
        LISTENER = "LISTENER"
        WEB = "WEB"

    kind = models.CharField(max_length=8, choices=Kind.choices)
    process = models.CharField(max_length=120)
    detail = models.JSONField(default=dict)
    started_at_real = models.DateTimeField("started at, real time", auto_now_add=True)
    seen_at_real = models.DateTimeField("seen at, real time")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["kind", "process"], name="heartbeat_process_once")
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.process}"


class BrokerCursor(models.Model):
    """How far the executions of one account have been read."""

    broker = models.CharField(max_length=16)
    account = models.CharField(max_length=32)
    heard_until = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["broker", "account"], name="broker_cursor_once")
        ]

    def __str__(self) -> str:
        return f"{self.broker} {self.account}"
