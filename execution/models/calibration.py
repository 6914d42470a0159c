"""What the own orders have taught about their cost."""

from django.db import models
from django.db.models import Q


class SlippageCalibration(models.Model):
    """One fit of a cost model's coefficients to the finished orders of one broker; never edited.

    The latest adopted one holds, where the configuration wants it: a symbol's own before that of
    all together, whose symbol is empty. Errors are mean absolute ones in basis points.
    """

    symbol = models.CharField(max_length=16, blank=True)
    broker = models.CharField(max_length=16)  # fills of a paper market teach nothing of a real one
    model = models.CharField(max_length=16)
    # name: {"prior", "value", "standard_error", "prior_share"}
    coefficients = models.JSONField()
    covariance = models.JSONField()  # of the values, in the order of the model's coefficients
    orders = models.PositiveIntegerField()  # that it was fitted to
    first_at = models.DateTimeField()  # when the first and last of them began
    last_at = models.DateTimeField()
    left_out = models.JSONField(default=dict, blank=True)  # why: how many
    prior_error_bps = models.FloatField(null=True, blank=True)
    error_bps = models.FloatField(null=True, blank=True)
    # Of the later half, each order judged by what had ended before it began.
    tested = models.PositiveIntegerField()
    prior_tested_error_bps = models.FloatField(null=True, blank=True)
    tested_error_bps = models.FloatField(null=True, blank=True)
    # Times, because the orders contradicted the configured coefficients; 1: they did not.
    prior_widened = models.FloatField(default=1.0)
    # The share of 95 % intervals that hold in simulation, configured coefficients being off by a
    # factor of three; empty: too few orders, or an old row.
    coverage = models.FloatField(null=True, blank=True)
    adopted = models.BooleanField()
    refused = models.CharField(max_length=200, blank=True)  # why it was not adopted
    made_by = models.CharField(max_length=150)
    made_at = models.DateTimeField()
    made_at_real = models.DateTimeField("made at, real time", auto_now_add=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(adopted=True, refused="") | (Q(adopted=False) & ~Q(refused="")),
                name="calibration_adopted_or_refused",
            )
        ]
        indexes = [
            # Read for the price tags of every order: the latest that holds for a symbol.
            models.Index(
                fields=["broker", "model", "symbol", "-id"],
                condition=Q(adopted=True),
                name="calibration_in_force",
            )
        ]

    def __str__(self) -> str:
        return f"{self.model} of {self.symbol or 'all symbols'} on {self.broker}"
