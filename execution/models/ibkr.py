"""What passes between the workers and the one process that owns an Interactive Brokers socket.

Workers queue orders and ask for cancels; the gateway process writes all the rest. All times are
real time.
"""

from django.db import models
from django.db.models import F, Q
from typing_extensions import override


class IbkrGateway(models.Model):
    """One connection to TWS or IB Gateway, as the process that owns it sees it."""

    class State(models.TextChoices):
        DOWN = "DOWN"  # no connection; it tries again by itself
        RECONCILING = "RECONCILING"  # connected, and not yet compared with the broker
        LINK_LOST = "LINK_LOST"  # TWS answers, but has lost its own servers
        HELD = "HELD"  # something that a person must look at, see `detail`
        READY = "READY"

    endpoint = models.CharField(max_length=120, unique=True)  # host:port/client id
    state = models.CharField(max_length=12, choices=State.choices, default=State.DOWN)
    detail = models.CharField(max_length=300, blank=True)
    process = models.CharField(max_length=120, blank=True)
    accounts = models.JSONField(default=list)
    # The highest order id ever committed to; TWS itself hands out again what it never processed.
    last_order_id = models.BigIntegerField(default=0)
    clock_skew_seconds = models.FloatField(null=True, blank=True)  # the broker's clock less ours
    seen_at_real = models.DateTimeField(
        "seen at, real time", null=True, blank=True
    )  # the process was alive
    heard_at_real = models.DateTimeField(
        "heard at, real time", null=True, blank=True
    )  # TWS last said something
    reconciled_at_real = models.DateTimeField("reconciled at, real time", null=True, blank=True)

    @override
    def __str__(self) -> str:
        return f"{self.endpoint} {self.state}"


class IbkrOrder(models.Model):
    """One child order: the command of a worker, and the broker's word on what became of it."""

    class Stage(models.TextChoices):
        QUEUED = "QUEUED"  # nobody has taken it up; its worker may still withdraw it
        WITHDRAWN = "WITHDRAWN"  # surely not sent
        SENDING = "SENDING"  # committed to an order id; the broker may have it
        ABSENT = "ABSENT"  # sent, and the broker definitely does not know it
        WORKING = "WORKING"
        CANCELLING = "CANCELLING"
        FILLED = "FILLED"
        CANCELLED = "CANCELLED"
        REJECTED = "REJECTED"
        LOST = "LOST"  # acknowledged once, and now in none of the broker's lists

    gateway = models.ForeignKey(IbkrGateway, on_delete=models.PROTECT, related_name="orders")
    client_order_id = models.CharField(max_length=40, unique=True)  # the broker's orderRef
    account = models.CharField(max_length=32)
    symbol = models.CharField(max_length=16)
    side = models.CharField(max_length=4)
    quantity = models.BigIntegerField()
    limit_price = models.DecimalField(max_digits=18, decimal_places=6)
    extended_hours = models.BooleanField(default=False)
    native = models.JSONField(null=True, blank=True)  # the broker's algorithm that works it

    stage = models.CharField(max_length=10, choices=Stage.choices, default=Stage.QUEUED)
    valid_until_real = models.DateTimeField(
        "valid until, real time"
    )  # a queued order is not taken up after this
    # The database session whose worker waits for the outcome; without it a queued order is dead.
    waiter_pid = models.IntegerField()
    attempt = models.PositiveIntegerField(default=0)
    order_id = models.BigIntegerField(null=True, blank=True)
    perm_id = models.BigIntegerField(null=True, blank=True)
    broker_status = models.CharField(max_length=20, blank=True)
    # By orderStatus, which can be ahead of the executions and behind them.
    reported_filled = models.BigIntegerField(default=0)
    code = models.CharField(max_length=32, blank=True)  # of the broker's last complaint
    text = models.CharField(max_length=300, blank=True)
    cancel_asked_at_real = models.DateTimeField("cancel asked at, real time", null=True, blank=True)
    cancel_sent_at_real = models.DateTimeField("cancel sent at, real time", null=True, blank=True)
    queued_at_real = models.DateTimeField("queued at, real time", auto_now_add=True)
    sent_at_real = models.DateTimeField("sent at, real time", null=True, blank=True)
    changed_at_real = models.DateTimeField("changed at, real time")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["gateway", "order_id"],
                condition=Q(order_id__isnull=False),
                name="ibkr_order_id_once",
            ),
            models.CheckConstraint(condition=Q(quantity__gt=0), name="ibkr_quantity_positive"),
            models.CheckConstraint(
                condition=~Q(stage="SENDING") | Q(order_id__isnull=False),
                name="ibkr_sending_has_order_id",
            ),
        ]
        indexes = [
            # Read by the gateway whenever it is woken.
            models.Index(
                fields=["gateway", "id"], condition=Q(stage="QUEUED"), name="ibkr_order_queued"
            ),
            models.Index(
                fields=["gateway"],
                condition=Q(cancel_asked_at_real__isnull=False)
                & (
                    Q(cancel_sent_at_real__isnull=True)
                    | Q(cancel_asked_at_real__gt=F("cancel_sent_at_real"))
                ),
                name="ibkr_order_cancel_asked",
            ),
            # Read at the end of each comparison with the broker.
            models.Index(
                fields=["gateway"],
                condition=Q(stage__in=["SENDING", "WORKING", "CANCELLING"]),
                name="ibkr_order_open",
            ),
            models.Index(fields=["perm_id"], name="ibkr_order_perm_id"),
            # Read by whoever asks for news.
            models.Index(fields=["account", "changed_at_real"], name="ibkr_order_news"),
        ]

    @override
    def __str__(self) -> str:
        return f"{self.client_order_id} {self.stage}"


class IbkrExecution(models.Model):
    """One execution report; a correction is a row of its own with a higher revision."""

    order = models.ForeignKey(IbkrOrder, on_delete=models.PROTECT, related_name="executions")
    account = models.CharField(max_length=32)  # the broker's account code
    execution_id = models.CharField(max_length=80)  # up to the last dot of the broker's
    revision = models.PositiveIntegerField()  # the digits after it
    quantity = models.BigIntegerField()
    price = models.DecimalField(max_digits=18, decimal_places=6)
    executed_at = models.DateTimeField()
    commission = models.DecimalField(max_digits=18, decimal_places=6, null=True, blank=True)
    commission_currency = models.CharField(max_length=8, blank=True)
    recorded_at_real = models.DateTimeField("recorded at, real time", auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account", "execution_id", "revision"], name="ibkr_execution_once"
            )
        ]

    @override
    def __str__(self) -> str:
        return f"{self.execution_id}.{self.revision:02d} {self.quantity:,} @ {self.price}"


class IbkrInquiry(models.Model):
    """A question that only the gateway can put to the broker; its asker deletes it."""

    class Kind(models.TextChoices):
        ACCOUNT = "ACCOUNT"
        OPEN_ORDERS = "OPEN_ORDERS"
        COMPARE = "COMPARE"  # compare all orders with the broker's now

    gateway = models.ForeignKey(IbkrGateway, on_delete=models.CASCADE, related_name="inquiries")
    kind = models.CharField(max_length=12, choices=Kind.choices)
    account = models.CharField(max_length=32, blank=True)
    asked_at_real = models.DateTimeField("asked at, real time", auto_now_add=True)
    taken_at_real = models.DateTimeField("taken at, real time", null=True, blank=True)
    answer = models.JSONField(null=True, blank=True)
    problem = models.CharField(max_length=300, blank=True)

    @override
    def __str__(self) -> str:
        return f"{self.kind} {self.account}"
