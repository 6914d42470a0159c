"""Risk limits: set by named people, kept with their history, read fresh whenever they count."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from deepstack.database.prepared_query import Param, Prepared
from execution.domain import reading
from execution.domain.risk_checks import Bounds
from execution.models import Order, RestrictedSymbol, RiskLimit, RiskLimitChange, TradingState
from execution.risk import kill_switch, scopes

Scope = TradingState.Scope
# What a limit is called in the rules, where that differs.
_BOUND = {"max_order_quantity": "max_quantity", "max_order_notional": "max_notional"}
FIELDS = (
    "max_order_quantity",
    "max_order_notional",
    "max_adv_share",
    "max_position",
    "max_open_orders",
    "max_orders_per_minute",
    "max_messages_per_minute",
    "max_daily_loss",
    "max_portfolio_heat",
)
# Counts of shares, orders or messages; and shares of a whole.
_WHOLE = (
    "max_order_quantity",
    "max_position",
    "max_open_orders",
    "max_orders_per_minute",
    "max_messages_per_minute",
)
_PARTS = ("max_adv_share", "max_portfolio_heat")
Limit = int | Decimal | None


@dataclass(frozen=True, slots=True)
class LimitSet:
    """The limits and restrictions that somebody has set, as they were when they were read."""

    limits: tuple[RiskLimit, ...]
    restricted: Mapping[tuple[str, str], str]  # reason by symbol and account, "" for everybody's

    def bounds(self, order: Order, outermost: Bounds) -> Bounds:
        """The tightest of what applies to the order."""
        applying = [row for row in self.limits if (row.scope, row.key) in scopes.keys(order)]
        if not applying:
            return replace(outermost, adv_required=False) if outermost.adv_required else outermost
        found: dict[str, Any] = {}
        for field in FIELDS:
            name = _BOUND.get(field, field)
            values = [getattr(outermost, name), *(getattr(row, field) for row in applying)]
            found[name] = min((value for value in values if value is not None), default=None)
        asked = any(row.max_adv_share is not None for row in applying)
        return replace(outermost, **found, adv_required=asked)

    def restriction(self, order: Order) -> str | None:
        """Why the order's symbol may not be traded by it."""
        keys = ((order.symbol, ""), (order.symbol, order.account))
        return next((self.restricted[key] for key in keys if key in self.restricted), None)


EMPTY = LimitSet((), {})
_LIMITS = Prepared[RiskLimit](
    lambda: RiskLimit.objects.filter(scopes.applying_by_name()), many=True
)
_LISTED = Prepared[RestrictedSymbol](
    lambda: RestrictedSymbol.objects.filter(symbol=Param("symbol", "")), many=True
)

_EVERY_LIMIT = Prepared[RiskLimit](RiskLimit.objects.all)
_ALL_LISTED = Prepared[RestrictedSymbol](RestrictedSymbol.objects.all)


def in_force(order: Order) -> LimitSet:
    """What may apply to one order."""
    return _limit_set(_LIMITS.all(**scopes.own(order)), _LISTED.all(symbol=order.symbol))


def read_ahead(orders: Sequence[Order]) -> None:
    """For `in_force`."""
    _LIMITS.read_ahead(map(scopes.own, orders))
    _LISTED.read_ahead({"symbol": order.symbol} for order in orders)


def all_in_force() -> LimitSet:
    return _limit_set(_EVERY_LIMIT.all(), _ALL_LISTED.all())


def _limit_set(limits: Iterable[RiskLimit], listed: Iterable[RestrictedSymbol]) -> LimitSet:
    return LimitSet(tuple(limits), {(row.symbol, row.account): row.reason for row in listed})


def read_value(field: str, value: object) -> Limit:
    """A limit as a person or a program writes it; None is none. Raises ValueError."""
    if value is None:
        return None
    if field in _WHOLE:
        most = 2**31 - 1 if field.endswith("_minute") or field == "max_open_orders" else 2**63 - 1
        whole: int = reading.whole(most, least=0)(value)
        return whole
    number = reading.number(value)
    if number is None or number < 0:
        raise reading.refusal("a number greater than or equal to 0", value)
    if field in _PARTS and number > 1:
        raise reading.refusal("a share up to 1, such as 0.25 for a quarter", value)
    return number


def loosens(before: Limit, after: Limit) -> bool:
    """Whether a limit that was set allows more than before; one that is new only takes away."""
    return before is not None and (after is None or after > before)


def set_limit(*, scope: str, key: str, field: str, value: Limit, by: str) -> RiskLimit:
    """Set one limit of a scope, None takes it away; ValueError as `set_limits` raises it."""
    return set_limits(scope=scope, key=key, values={field: value}, by=by)


@transaction.atomic
def set_limits(*, scope: str, key: str, values: Mapping[str, Limit], by: str) -> RiskLimit:
    """Set some limits of a scope, with a row of history for each that changes.

    ValueError: an unknown scope or limit, a key that no order can have, a value below 0, or no
    name; nothing is changed then.
    """
    _check(scope, key, by)
    for field in values:
        if field not in FIELDS:
            raise ValueError(f"field must be one of {', '.join(FIELDS)}, got {field!r}")
    RiskLimit.objects.get_or_create(scope=scope, key=key)
    row = RiskLimit.objects.select_for_update().get(scope=scope, key=key)
    before = {field: getattr(row, field) for field in values}
    for field, value in values.items():
        try:
            setattr(row, field, read_value(field, value))
        except ValueError as error:
            raise ValueError(f"{field}: {error}") from None
    try:
        row.full_clean(validate_unique=False, validate_constraints=False)
    except ValidationError as error:
        raise ValueError(_readable(error, values)) from None
    row.save(update_fields=list(values))
    row.refresh_from_db()
    for field in values:
        _note(scope, key, field, before[field], getattr(row, field), by)
    return row


@transaction.atomic
def remove(row: RiskLimit, *, by: str) -> None:
    """Take all limits of a scope away."""
    set_limits(scope=row.scope, key=row.key, values=dict.fromkeys(FIELDS), by=by)
    RiskLimit.objects.filter(pk=row.pk).delete()


@transaction.atomic
def restrict(*, symbol: str, reason: str, by: str, account: str = "") -> RestrictedSymbol:
    """Put a symbol on the restricted list of an account, without one on that of everybody, or give
    another reason. ValueError: not a symbol, not an account, no reason or no name."""
    _check(Scope.SYMBOL, symbol, by)
    if account:
        _check(Scope.ACCOUNT, account, by)
    if not reason.strip():
        raise ValueError("a reason is required")
    key = {"symbol": symbol, "account": account}
    RestrictedSymbol.objects.get_or_create(**key, defaults={"changed_by": by[:150]})
    row = RestrictedSymbol.objects.select_for_update().get(**key)
    before, row.reason, row.changed_by = row.reason, reason[:300], by[:150]
    row.save()
    _note(*place_of(row), before, row.reason, by)
    return row


@transaction.atomic
def lift(*, symbol: str, by: str, account: str = "") -> None:
    """Take a symbol off the restricted list; harmless when it is not on it."""
    _check(Scope.SYMBOL, symbol, by)
    listed = RestrictedSymbol.objects.filter(symbol=symbol, account=account)
    row = listed.select_for_update().first()
    if row is not None:
        row.delete()
        _note(*place_of(row), row.reason, None, by)


def place_of(row: RestrictedSymbol) -> tuple[str, str, str]:
    """Scope, key and field of its changes."""
    if row.account:
        return Scope.ACCOUNT, row.account, f"restricted {row.symbol}"
    return Scope.SYMBOL, row.symbol, "restricted"


def _check(scope: str, key: str, by: str) -> None:
    if scope not in Scope.values:
        raise ValueError(f"scope must be one of {', '.join(Scope.values)}, got {scope!r}")
    kill_switch.check_key(scope, key)
    if not by.strip():
        raise ValueError("the name of the person is required")


def _readable(error: ValidationError, values: Mapping[str, Limit]) -> str:
    return "; ".join(
        f"{field}: {' '.join(texts)} Got {values.get(field)!r}"
        for field, texts in error.message_dict.items()
    )


def _note(scope: str, key: str, field: str, before: object, after: object, by: str) -> None:
    if before == after:
        return
    RiskLimitChange.objects.create(
        scope=scope,
        key=key,
        field=field,
        before="" if before is None else str(before),
        after="" if after is None else str(after),
        changed_by=by[:150],
    )
