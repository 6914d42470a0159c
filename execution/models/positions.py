"""What each account has traded at each broker, kept as executions are booked.

PostgreSQL keeps both tables, by triggers on the fills (migrations 0015 and 0032): whatever books,
corrects or takes back a fill changes them in the same statement, so that no caller can forget to.
The fills stay the truth; `execution.booking.position_check` compares, and rebuilds where they
differ.
"""

from django.db import models
from typing_extensions import override

from execution.models.orders import Side


class Position(models.Model):
    """Signed shares of one symbol that an account's own fills at one broker add up to."""

    broker = models.CharField(max_length=16)
    account = models.CharField(max_length=32)  # of the order, as `DayTrade.account` is
    symbol = models.CharField(max_length=16)
    shares = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["broker", "account", "symbol"], name="position_once")
        ]

    @override
    def __str__(self) -> str:
        return f"{self.broker} {self.account} {self.shares:+,} {self.symbol}"


class TradeSum(models.Model):
    """What fills of one account, symbol and side on one exchange day at one broker add up to."""

    broker = models.CharField(max_length=16)
    account = models.CharField(max_length=32)
    midnight = models.DateTimeField("day", help_text="the exchange's midnight at its beginning")
    symbol = models.CharField(max_length=16)
    side = models.CharField(max_length=4, choices=Side.choices)
    shares = models.BigIntegerField()
    money = models.DecimalField(max_digits=30, decimal_places=6)  # shares times price
    fees = models.DecimalField(max_digits=24, decimal_places=6)

    class Meta:
        abstract = True

    @override
    def __str__(self) -> str:
        return f"{self.broker} {self.account} {self.side} {self.shares:,} {self.symbol}"


class DayTrade(TradeSum):
    """What an account executed in one symbol, on one side and one exchange day at one broker."""

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account", "midnight", "broker", "symbol", "side"], name="day_trade_once"
            )
        ]
