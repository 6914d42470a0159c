"""What an order cost."""

from decimal import Decimal

from django.db import models
from django.db.models import Q

from execution.models import Order


def money() -> "models.DecimalField[Decimal | None, Decimal | None]":
    return models.DecimalField(max_digits=26, decimal_places=6, null=True, blank=True)


def bps() -> "models.DecimalField[Decimal | None, Decimal | None]":
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
    due_at_real = models.DateTimeField("next computation, real time", null=True, blank=True)
    attempts = models.PositiveIntegerField(default=0)
    computed_at_real = models.DateTimeField("computed at, real time", null=True, blank=True)

    average_price = money()
    market_vwap = money()
    market_twap = money()
    market_volume = models.BigIntegerField(null=True, blank=True)
    final_price = money()  # the mid when the order ended
    # Money.
    delay = money()
    trading = money()
    opportunity = money()
    fees = money()
    shortfall_bps = bps()
    arrival_bps = bps()
    vwap_bps = bps()
    twap_bps = bps()
    participation = models.DecimalField(max_digits=18, decimal_places=8, null=True, blank=True)
    pwp_price = money()  # at a participation of 20 %
    pwp_bps = bps()
    pwp5_bps = bps()
    pwp10_bps = bps()
    open_bps = bps()  # against the first trade of the day's regular session
    close_bps = bps()  # against its last one
    # The mean share of the quoted spread that its executions kept; 0 at the far touch.
    spread_capture = models.DecimalField(max_digits=12, decimal_places=4, null=True, blank=True)
    relative_performance = models.DecimalField(
        max_digits=9, decimal_places=8, null=True, blank=True
    )
    reversion_bps = bps()  # over five minutes after the end
    late_reversion_bps = bps()  # over thirty
    # Null: the close and the late reversion are known, or nothing is left to ask for.
    late_due_at_real = models.DateTimeField("late benchmarks due, real time", null=True, blank=True)

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
            models.Index(
                fields=["due_at_real"], condition=Q(due_at_real__isnull=False), name="cost_due"
            ),
            models.Index(
                fields=["late_due_at_real"],
                condition=Q(late_due_at_real__isnull=False),
                name="cost_late_due",
            ),
        ]

    def __str__(self) -> str:
        return f"cost of order {self.order_id}"

    @property
    def final(self) -> bool:
        """Over, and nothing is expected to change it any more."""
        return self.due_at_real is None and self.order.is_terminal

    @property
    def preliminary(self) -> bool:
        """The market data of the window are not complete yet: the figures may change."""
        return not self.final
