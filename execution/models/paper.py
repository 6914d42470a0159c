"""The paper broker's own book: what a real broker would keep on its side of the wire."""

from django.db import models
from django.db.models import F, Q

from execution.domain.exchange_time import exchange_time


class PaperOrder(models.Model):
    OPEN = ("WORKING", "CANCELLING")

    client_order_id = models.CharField(max_length=40, unique=True)
    account = models.CharField(max_length=32)
    symbol = models.CharField(max_length=16)
    side = models.CharField(max_length=4)
    quantity = models.BigIntegerField()
    limit_price = models.DecimalField(max_digits=18, decimal_places=6)
    status = models.CharField(max_length=12)  # WORKING, CANCELLING or an end
    filled_quantity = models.BigIntegerField(default=0)
    accepted_at = models.DateTimeField()
    # Empty: the market never closes. While it is CANCELLING, when the cancel is carried out.
    expires_at = models.DateTimeField(null=True, blank=True)
    # Until then it is news; in the future while executions wait to be reported.
    changed_at = models.DateTimeField()
    matched_until = models.DateTimeField()  # the tape up to here has been used
    # Marketable when it arrived, but nothing traded then: the first minute that does serves it.
    awaits_print = models.BooleanField(default=False)
    queue_ahead = models.BigIntegerField(default=0)  # shares that trade before it does

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(filled_quantity__lte=F("quantity")), name="paper_order_not_overfilled"
            )
        ]
        indexes = [
            # Read whenever the paper broker matches its open orders against the tape.
            models.Index(
                fields=["symbol"],
                condition=Q(status__in=["WORKING", "CANCELLING"]),
                name="paper_order_open",
            ),
            # Read by whoever asks for news.
            models.Index(fields=["account", "changed_at"], name="paper_order_news"),
        ]

    def __str__(self) -> str:
        return self.client_order_id


class PaperExecution(models.Model):
    order = models.ForeignKey(PaperOrder, on_delete=models.CASCADE, related_name="executions")
    quantity = models.BigIntegerField()
    price = models.DecimalField(max_digits=18, decimal_places=6)
    commission = models.DecimalField(max_digits=18, decimal_places=6)
    executed_at = models.DateTimeField()
    reported_at = models.DateTimeField(null=True, blank=True)  # empty: at once

    def __str__(self) -> str:
        return f"{self.order} {self.quantity:,} @ {self.price}"


class PaperFlow(models.Model):
    """Shares that paper orders executed in one minute; kept while `paper.impact` is on."""

    symbol = models.CharField(max_length=16)
    minute = models.DateTimeField()
    bought = models.BigIntegerField()
    sold = models.BigIntegerField()

    class Meta:
        constraints = [
            # Read with every quote: the symbol's minutes of the day.
            models.UniqueConstraint(fields=["symbol", "minute"], name="paper_flow_once"),
        ]

    def __str__(self) -> str:
        return f"{self.symbol} {exchange_time(self.minute)}: +{self.bought:,} -{self.sold:,}"


class PaperVolume(models.Model):
    """Shares of one minute's volume that paper orders have got; see `broker.paper_volume`."""

    symbol = models.CharField(max_length=16)
    minute = models.DateTimeField()
    taken = models.BigIntegerField()
    granted = models.BigIntegerField()  # of them, to the last order that asked

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["symbol", "minute"], name="paper_volume_once"),
        ]

    def __str__(self) -> str:
        return f"{self.symbol} {exchange_time(self.minute)}: {self.taken:,}"
