"""What an order would have cost if it had been worked in another way."""

from django.db import models
from django.db.models import Q

from execution.models import Order
from monitoring.models.costs import bps, money


class OrderReplay(models.Model):
    """One order worked again by one algorithm on the recorded tape; + = cost, null = not known.

    Written again by whoever replays the order again.
    """

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="replays")
    algorithm = models.CharField(max_length=16)
    own = models.BooleanField()  # the one by which the order was really worked
    start_at = models.DateTimeField(null=True, blank=True)
    end_at = models.DateTimeField(null=True, blank=True)
    # Why there are no figures; empty where there are.
    problem = models.CharField(max_length=200, blank=True)
    children = models.PositiveIntegerField(default=0)
    filled_quantity = models.BigIntegerField(default=0)
    average_price = money()
    fees = money()
    arrival_bps = bps()
    vwap_bps = bps()  # against the market's VWAP of its own window
    # Over shares ordered at the arrival mid: executions, fees, and what was left at `final_price`.
    shortfall_bps = bps()
    # The same of the order's real executions, with its own algorithm; else null.
    actual_bps = bps()
    # The mid at the end of the longest window: what is left of each way is valued by it.
    final_price = money()
    participation = models.DecimalField(max_digits=18, decimal_places=8, null=True, blank=True)
    assumes = models.JSONField(default=dict)  # what the figures rest on
    computed_at_real = models.DateTimeField("computed at, real time")

    class Meta:
        verbose_name_plural = "order replays"
        constraints = [
            models.UniqueConstraint(fields=["order", "algorithm"], name="replay_once_an_algorithm"),
            models.CheckConstraint(
                condition=Q(problem="") | Q(shortfall_bps__isnull=True),
                name="replay_figures_or_problem",
            ),
        ]

    def __str__(self) -> str:
        return f"order {self.order_id} by {self.algorithm}"
