"""A parent order, its slices (child orders), their fills, and the audit trail of all three.

Columns that end in `_real` hold real time, all others trading time, in UTC. They differ only where
a replayed or accelerated market runs on a clock of its own.
"""

from decimal import Decimal

from django.db import models
from django.db.models import F, Q, QuerySet, Sum
from django.db.models.functions import Coalesce, Greatest

from execution.domain.event_kinds import SENT, EventKind
from execution.domain.lifecycle import (
    ORDER_LIVE,
    ORDER_TERMINAL,
    SLICE_AT_BROKER,
    SLICE_CLAIMABLE,
    SLICE_TERMINAL,
    OrderStatus,
    SliceStatus,
)

ORDER_STATUSES = [(status.value, status.value.capitalize()) for status in OrderStatus]
SLICE_STATUSES = [(status.value, status.value.capitalize()) for status in SliceStatus]
EVENT_KINDS = [(kind.value, kind.value) for kind in EventKind]


# Of an order or a slice: shares that may still be executed; `Slice.leaves` says so in Python.
LEAVES = Greatest(F("quantity") - F("filled_quantity"), 0)


class Side(models.TextChoices):
    BUY = "BUY"
    SELL = "SELL"


class Via(models.TextChoices):
    """The way in by which somebody asked."""

    API = "API", "REST"
    ADMIN = "ADMIN", "back office"
    CLI = "CLI", "command line"
    PYTHON = "PYTHON", "Python"
    SERVICE = "SERVICE", "service"  # nobody asked: a rule did it


class Order(models.Model):
    """A parent order: what the strategy asked for and what was decided about it."""

    account = models.CharField(max_length=32)
    strategy = models.CharField(max_length=64, blank=True)
    # Orders that were handed over together, or belong together; empty: an order by itself.
    basket = models.CharField(max_length=64, blank=True, default="", db_default="")
    client_reference = models.CharField(max_length=128, null=True, blank=True)
    symbol = models.CharField(max_length=16)
    side = models.CharField(max_length=4, choices=Side.choices)
    quantity = models.BigIntegerField()
    urgency = models.CharField(max_length=16)
    algorithm = models.CharField(max_length=16)
    parameters = models.JSONField(default=dict, blank=True)
    # The signal's own terms, for a signal that comes again under the same reference.
    asked = models.JSONField(default=dict, blank=True)
    # What the caller's own configuration sets otherwise than the service's, for this order.
    own_settings = models.JSONField(default=dict, blank=True)
    limit_price = models.DecimalField(max_digits=18, decimal_places=6, null=True, blank=True)
    average_daily_volume = models.BigIntegerField(null=True, blank=True)
    start_at = models.DateTimeField()
    end_at = models.DateTimeField()
    seed = models.BigIntegerField()
    slice_count = models.PositiveIntegerField(default=0)

    status = models.CharField(max_length=12, choices=ORDER_STATUSES)
    status_reason = models.CharField(max_length=300, blank=True)
    # A breaker has paused the order: nobody resumes it before.
    not_before_real = models.DateTimeField("cool-down until, real time", null=True, blank=True)
    version = models.PositiveIntegerField(default=1)
    # Derived: the sum of the fills, rewritten under the order's lock whenever a fill is booked.
    filled_quantity = models.BigIntegerField(default=0)
    filled_notional = models.DecimalField(max_digits=24, decimal_places=6, default=0)
    commission = models.DecimalField(max_digits=18, decimal_places=6, default=0)

    # What was known when the signal arrived; never edited afterwards.
    decision_price = models.DecimalField(max_digits=18, decimal_places=6, null=True, blank=True)
    # Whether the decision price lay within its collar when it was compared with the market; null:
    # not compared yet, or none given. Figures of cost go by a decision price that did.
    decision_within_collar = models.BooleanField(null=True, blank=True)
    # When value and decision price were compared with a market that is known; null: not yet.
    settled_at = models.DateTimeField(null=True, blank=True)
    arrival_bid = models.DecimalField(max_digits=18, decimal_places=6, null=True, blank=True)
    arrival_ask = models.DecimalField(max_digits=18, decimal_places=6, null=True, blank=True)
    estimated_slippage_bps = models.FloatField(null=True, blank=True)
    routing = models.JSONField(default=dict, blank=True)

    submitted_by = models.CharField(max_length=150, blank=True)
    submitted_via = models.CharField(max_length=8, choices=Via.choices, blank=True)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)
    created_at_real = models.DateTimeField("created at, real time", auto_now_add=True)

    class Meta:
        permissions = [
            ("submit_order", "Can submit orders"),
            ("cancel_order", "Can cancel, pause and resume orders"),
        ]
        constraints = [
            # The same signal twice is the same order.
            models.UniqueConstraint(
                fields=["account", "client_reference"],
                condition=Q(client_reference__isnull=False),
                name="order_reference_once",
            ),
            models.CheckConstraint(
                condition=Q(quantity__gt=0) | Q(status=OrderStatus.DENIED),
                name="order_quantity_positive",
            ),
            models.CheckConstraint(
                condition=Q(end_at__gt=F("start_at")) | Q(status=OrderStatus.DENIED),
                name="order_window_not_empty",
            ),
            models.CheckConstraint(
                condition=Q(side__in=Side.values) | Q(status=OrderStatus.DENIED),
                name="order_side_known",
            ),
            models.CheckConstraint(
                condition=Q(status__in=list(OrderStatus)), name="order_status_known"
            ),
            models.CheckConstraint(
                condition=~Q(status=OrderStatus.FILLED) | Q(filled_quantity=F("quantity")),
                name="order_filled_means_all",
            ),
            models.CheckConstraint(
                condition=Q(filled_quantity__lte=F("quantity")) | Q(status=OrderStatus.OVERFILLED),
                name="order_overfill_is_named",
            ),
            models.CheckConstraint(
                condition=Q(filled_quantity__gte=0), name="order_filled_not_negative"
            ),
        ]
        indexes = [
            # Read by the dispatch loop at every tick.
            models.Index(
                fields=["end_at"],
                condition=Q(status__in=sorted(ORDER_LIVE)),
                name="order_live_by_end",
            ),
            models.Index(fields=["account", "-created_at"], name="order_account_recent"),
            models.Index(fields=["symbol", "-created_at"], name="order_symbol_recent"),
            models.Index(fields=["-created_at"], name="order_recent"),
            # Read by the monitor: what ended within a day. A denied order ended when it was made.
            models.Index(Coalesce("finished_at", "created_at"), name="order_ended"),
            # Read by the checks before a send: the shares pending beside an order.
            models.Index(
                fields=["account", "symbol", "side"],
                condition=Q(status__in=sorted(ORDER_LIVE)),
                name="order_live_by_book",
            ),
            # Read by the checks before a send: an own order on the other side, and one like it.
            models.Index(fields=["account", "symbol", "side"], name="order_by_book"),
            # Read by the page of a basket, newest orders first.
            models.Index(fields=["basket", "-id"], condition=~Q(basket=""), name="order_basket"),
            # Read by the check for a strategy that runs away.
            models.Index(fields=["strategy", "created_at_real"], name="order_strategy_rate"),
        ]

    def __str__(self) -> str:
        return f"{self.pk} {self.side} {self.quantity:,} {self.symbol} {self.algorithm}"

    @property
    def side_sign(self) -> int:
        """+1 for a buy, -1 for a sell."""
        return 1 if self.side == Side.BUY else -1

    @property
    def would_price(self) -> Decimal | None:
        """At it or better, all that is left is taken; None: not asked for."""
        asked_for = self.parameters.get("would_price")
        return None if asked_for is None else Decimal(asked_for)

    @property
    def open_quantity(self) -> int:
        """Shares that may still be executed while the order is live."""
        return max(self.quantity - self.filled_quantity, 0)

    @property
    def is_terminal(self) -> bool:
        return self.status in ORDER_TERMINAL


class Slice(models.Model):
    """One child order: the part of the parent that is due at one moment."""

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="slices")
    sequence = models.PositiveIntegerField()  # 0 is the first
    due_at = models.DateTimeField()
    end_at = models.DateTimeField()  # an unfilled rest is cancelled then
    planned_quantity = models.BigIntegerField()
    # What the parent should have executed once this slice is done.
    cumulative_quantity = models.BigIntegerField()
    # The same as it was aimed anew when the slice was due; the next slice starts from it.
    aimed_quantity = models.BigIntegerField(null=True, blank=True)

    status = models.CharField(max_length=12, choices=SLICE_STATUSES, default=SliceStatus.PLANNED)
    reason = models.CharField(max_length=300, blank=True)
    enqueued_at_real = models.DateTimeField("enqueued at, real time", null=True, blank=True)
    # The claim: whoever holds the token owns the slice until the lease ends.
    claim_token = models.UUIDField(null=True, blank=True)
    attempt = models.PositiveIntegerField(default=0)
    lease_until_real = models.DateTimeField("lease until, real time", null=True, blank=True)
    # When the resolver looks at it next: a SENDING or UNKNOWN slice, or an unconfirmed cancel.
    check_at_real = models.DateTimeField("check at, real time", null=True, blank=True)
    checks = models.PositiveIntegerField(default=0)

    # The intent, stored before the broker is called and kept for every attempt.
    client_order_id = models.CharField(max_length=40, unique=True)
    quantity = models.BigIntegerField(null=True, blank=True)
    limit_price = models.DecimalField(max_digits=18, decimal_places=6, null=True, blank=True)
    reference_price = models.DecimalField(max_digits=18, decimal_places=6, null=True, blank=True)
    broker = models.CharField(max_length=16, blank=True)
    broker_order_id = models.CharField(max_length=64, blank=True)
    # When the request left; from the claim until that is known, when it is meant to.
    sent_at = models.DateTimeField(null=True, blank=True)
    lateness_ms = models.FloatField(null=True, blank=True)  # in real time: due to the broker call
    finished_at = models.DateTimeField(null=True, blank=True)
    filled_quantity = models.BigIntegerField(default=0)  # derived, like the order's
    explanation = models.JSONField(default=dict, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["order", "sequence"], name="slice_sequence_once"),
            models.CheckConstraint(
                condition=Q(planned_quantity__gt=0), name="slice_planned_positive"
            ),
            models.CheckConstraint(condition=Q(end_at__gt=F("due_at")), name="slice_end_after_due"),
            models.CheckConstraint(
                condition=Q(status__in=list(SliceStatus)), name="slice_status_known"
            ),
            models.CheckConstraint(
                condition=~Q(status__in=sorted(SLICE_AT_BROKER))
                | Q(quantity__gt=0, claim_token__isnull=False),
                name="slice_at_broker_has_intent",
            ),
        ]
        indexes = [
            # Read by the dispatch loop: what is due and nobody has claimed.
            models.Index(
                fields=["due_at"],
                condition=Q(status__in=sorted(SLICE_CLAIMABLE)),
                name="slice_claimable_by_due",
            ),
            # Read under the order's lock: is anything left to do?
            models.Index(
                fields=["order", "status"],
                condition=~Q(status__in=sorted(SLICE_TERMINAL)),
                name="slice_not_terminal",
            ),
            # Read by the dispatch loop: what must be asked about or closed.
            models.Index(
                fields=["check_at_real"],
                condition=Q(status__in=sorted(SLICE_AT_BROKER)),
                name="slice_at_broker_by_check",
            ),
            models.Index(
                fields=["order"],
                condition=Q(status__in=sorted(SLICE_AT_BROKER)),
                name="slice_at_broker_by_order",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.order_id}/{self.sequence}"

    @property
    def is_terminal(self) -> bool:
        return self.status in SLICE_TERMINAL

    @property
    def leaves(self) -> int:
        """Shares that the broker may still execute: LEAVES while the slice is at the broker."""
        if self.status not in SLICE_AT_BROKER:
            return 0
        return max((self.quantity or 0) - self.filled_quantity, 0)


def working(slices: "QuerySet[Slice]") -> int:
    """W of some slices: the sum of their `Slice.leaves`."""
    at_broker = slices.filter(status__in=sorted(SLICE_AT_BROKER))
    total: int = at_broker.aggregate(n=Coalesce(Sum(LEAVES), 0))["n"]
    return total


class Fill(models.Model):
    """One execution, as the broker reported it."""

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="fills")
    slice = models.ForeignKey(Slice, on_delete=models.PROTECT, related_name="fills")
    broker = models.CharField(max_length=16)
    account = models.CharField(max_length=32)
    execution_id = models.CharField(max_length=80)  # without its revision
    revision = models.PositiveIntegerField(default=0)  # a correction carries a higher one
    quantity = models.BigIntegerField()
    price = models.DecimalField(max_digits=18, decimal_places=6)
    commission = models.DecimalField(max_digits=18, decimal_places=6, null=True, blank=True)
    executed_at = models.DateTimeField()
    recorded_at_real = models.DateTimeField("recorded at, real time", auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["broker", "account", "execution_id"], name="fill_execution_once"
            ),
            # Zero is a correction that took the whole execution back.
            models.CheckConstraint(condition=Q(quantity__gte=0), name="fill_quantity_not_negative"),
            models.CheckConstraint(condition=Q(price__gt=0), name="fill_price_positive"),
        ]
        indexes = [models.Index(fields=["executed_at"], name="fill_executed")]

    def __str__(self) -> str:
        return f"{self.execution_id} {self.quantity:,} @ {self.price}"


class OrderEvent(models.Model):
    """What happened to an order, written in the transaction that made it happen; never changed."""

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="events")
    slice = models.ForeignKey(
        Slice, on_delete=models.PROTECT, null=True, blank=True, related_name="events"
    )
    kind = models.CharField(max_length=32, choices=EVENT_KINDS)
    data = models.JSONField(default=dict)
    at = models.DateTimeField()
    recorded_at_real = models.DateTimeField("recorded at, real time", auto_now_add=True)

    class Meta:
        ordering = ["id"]
        indexes = [
            models.Index(fields=["order", "id"], name="event_by_order"),
            models.Index(fields=["kind", "id"], name="event_by_kind"),
            # Read by the check of the messages per minute.
            models.Index(
                fields=["recorded_at_real"],
                condition=Q(kind__in=[kind.value for kind in SENT]),
                name="event_sent_recent",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.order_id} {self.kind}"
