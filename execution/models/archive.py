"""What has left the database for files: which orders, where their rows are, what they add up to."""

from django.db import models
from typing_extensions import override

from execution.models.orders import Order
from execution.models.positions import TradeSum


class Archive(models.Model):
    """One folder of files with every slice, fill and event of some ended orders."""

    name = models.CharField(max_length=64, unique=True)  # of the folder
    manifest_sha256 = models.CharField(max_length=64)
    orders = models.PositiveIntegerField()
    rows = models.PositiveIntegerField()
    archived_at_real = models.DateTimeField("archived at, real time", auto_now_add=True)

    @override
    def __str__(self) -> str:
        return self.name


class ArchivedOrder(models.Model):
    """The order itself stays, with its totals and its costs; its parts are in the archive."""

    order = models.OneToOneField(
        Order, on_delete=models.PROTECT, primary_key=True, related_name="archived"
    )
    archive = models.ForeignKey(Archive, on_delete=models.PROTECT, related_name="members")
    broker = models.CharField(max_length=16, blank=True)  # of its children

    @override
    def __str__(self) -> str:
        return f"{self.order_id} in {self.archive_id}"


class ArchivedTrade(TradeSum):
    """What archived fills add up to, of one account, symbol and side on one exchange day.

    Written by the trigger on the fills (migration 0032) in the statement that removes them: with
    the fills that stay it makes the positions.
    """

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account", "midnight", "broker", "symbol", "side"],
                name="archived_trade_once",
            )
        ]
