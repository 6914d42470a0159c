"""Risk limits that people set, the restricted list, and who changed either."""

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q

from execution.models.trading_states import TradingState

_NOT_NEGATIVE = [MinValueValidator(0)]


def _shares(text: str) -> "models.BigIntegerField[int | None, int | None]":
    return models.BigIntegerField(null=True, blank=True, validators=_NOT_NEGATIVE, help_text=text)


def _count(text: str) -> "models.IntegerField[int | None, int | None]":
    return models.IntegerField(null=True, blank=True, validators=_NOT_NEGATIVE, help_text=text)


class RiskLimit(models.Model):
    """The limits of one scope: empty is none, 0 lets nothing pass.

    Of all rows that apply to an order, and the configuration, the tightest counts. The scope says
    whose orders are bounded; what is measured stays the same: a daily loss is the account's, also
    where the limit is a strategy's.
    """

    scope = models.CharField(max_length=8, choices=TradingState.Scope.choices)
    key = models.CharField(max_length=64, blank=True)  # empty for SYSTEM
    max_order_quantity = _shares("shares of one order, and of one child")
    max_order_notional = models.DecimalField(
        max_digits=20,
        decimal_places=2,
        null=True,
        blank=True,
        validators=_NOT_NEGATIVE,
        help_text="value of one order, and of one child",
    )
    max_adv_share = models.DecimalField(
        max_digits=9,
        decimal_places=6,
        null=True,
        blank=True,
        validators=_NOT_NEGATIVE,
        help_text="order over average daily volume, 0.25 is a quarter; denies where it is unknown",
    )
    max_position = _shares("shares of one symbol in one account, long or short")
    max_open_orders = _count("live orders of one account")
    max_orders_per_minute = _count("orders of one strategy; beyond it the strategy is halted")
    max_messages_per_minute = _count("child orders that one account sends")
    max_daily_loss = models.DecimalField(
        max_digits=20,
        decimal_places=2,
        null=True,
        blank=True,
        validators=_NOT_NEGATIVE,
        help_text="of the account's fills of the day, marked at the mid",
    )
    max_portfolio_heat = models.DecimalField(
        max_digits=12,
        decimal_places=6,
        null=True,
        blank=True,
        validators=_NOT_NEGATIVE,
        help_text="positions x daily volatility over the account's equity, 0.02 is 2 %",
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["scope", "key"], name="risk_limit_scope_once"),
            models.CheckConstraint(
                condition=Q(scope__in=TradingState.Scope.values), name="risk_limit_scope_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.scope} {self.key}".strip()


class RestrictedSymbol(models.Model):
    """No order of the account may trade it; without an account, nobody's."""

    symbol = models.CharField(max_length=16, db_index=True)
    account = models.CharField(
        max_length=32, blank=True, default="", db_default="", help_text="empty: of everybody"
    )
    reason = models.CharField(max_length=300)
    changed_by = models.CharField(max_length=150)
    changed_at_real = models.DateTimeField("changed at, real time", auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["symbol", "account"], name="restricted_symbol_once")
        ]

    def __str__(self) -> str:
        return f"{self.symbol} for account {self.account}" if self.account else self.symbol


class RiskLimitChange(models.Model):
    """Who changed which limit, from what to what; never edited. `restricted` is the list's field,
    with the reason as its value; of an account, `restricted` and the symbol."""

    scope = models.CharField(max_length=8, choices=TradingState.Scope.choices)
    key = models.CharField(max_length=64, blank=True)
    field = models.CharField(max_length=32)
    before = models.CharField(max_length=300, blank=True)
    after = models.CharField(max_length=300, blank=True)
    changed_by = models.CharField(max_length=150)
    changed_at_real = models.DateTimeField("changed at, real time", auto_now_add=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        what = f"{self.scope} {self.key}".strip()
        return f"{what} {self.field}: {self.before or 'none'} to {self.after or 'none'}"
