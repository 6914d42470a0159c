"""A strategy's signal: what may be asked, checked field by field before anything is stored."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from operator import index
from typing import Any, TypedDict

from execution.domain import native

SIDES = ("BUY", "SELL")
URGENCIES = ("LOW", "NORMAL", "HIGH", "IMMEDIATE")
ALGORITHMS = ("MARKET", "LIMIT", "TWAP", "VWAP", "POV", "IS")
AT_ONCE = ("MARKET", "LIMIT")  # one child; the others are worked over time
RESIDUALS = ("LEAVE", "FORCE", "CLOSE", "EXTEND", "EXTEND_FORCE")
# What only orders worked over time can follow.
OVER_TIME = (
    "residual",
    "residual_minutes",
    "max_extensions",
    "residual_ignores_cap",
    "would_price",
    "lot_size",
    "min_slice",
    "max_slice",
)

_SYMBOL = re.compile(r"[A-Z][A-Z0-9]{0,9}([.\-][A-Z0-9]{1,3})?")
_NAME = re.compile(r"[A-Za-z0-9_.:@/ -]{1,64}")
_REFERENCE = re.compile(r"[\x21-\x7e]{1,128}")
MAX_QUANTITY = 1_000_000_000
MAX_PRICE = Decimal(10_000_000)
MAX_WINDOW_MINUTES = 24 * 60
MAX_EXTENSIONS = 100


class InvalidSignal(ValueError):
    """The signal cannot be understood. `errors` has one sentence for each wrong field."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        self.errors = dict(errors)
        super().__init__("; ".join(f"{field}: {text}" for field, text in self.errors.items()))


@dataclass(frozen=True, slots=True)
class Signal:
    """A wish to trade. Prices per share; times in UTC trading time; None: decide for me."""

    symbol: str
    side: str
    quantity: int
    urgency: str = "NORMAL"
    algorithm: str | None = None
    decision_price: Decimal | None = None
    limit_price: Decimal | None = None
    average_daily_volume: int | None = None
    start_at: datetime | None = None
    end_at: datetime | None = None
    window: timedelta | None = None
    slices: int | None = None
    vwap_deviation_threshold: float | None = None  # a share of the market VWAP
    max_participation: float | None = None  # a share of the market's volume
    residual: str | None = None
    residual_minutes: float | None = None  # before the end or the close, or of one extension
    max_extensions: int | None = None
    residual_ignores_cap: bool | None = None
    aggressive_after: float | None = None  # a share of the window
    would_price: Decimal | None = None
    lot_size: int | None = None
    min_slice: int | None = None
    max_slice: int | None = None
    native: str | None = None  # the broker's own algorithm, which works all in one child
    native_parameters: Mapping[str, str] | None = None  # by the broker's names
    account: str = ""
    strategy: str = ""
    client_reference: str | None = None


class Controls(TypedDict, total=False):
    """How an order is worked in detail, by the fields of `Signal`; None: decide for me."""

    residual: str | None
    residual_minutes: float | None
    max_extensions: int | None
    residual_ignores_cap: bool | None
    aggressive_after: float | None
    would_price: float | Decimal | None
    lot_size: int | None
    min_slice: int | None
    max_slice: int | None
    native: str | None
    native_parameters: Mapping[str, object] | str | None


def parse(values: Mapping[str, object]) -> Signal:
    """A Signal from plain values; raises InvalidSignal that names every wrong field at once.

    `window` is given in minutes, as `window_minutes`.
    """
    errors: dict[str, str] = {}
    clean: dict[str, Any] = {}
    for name in sorted(values.keys() - _READERS.keys()):
        errors[str(name)] = f"unknown; known are {', '.join(sorted(_READERS))}"
    for name, read in _READERS.items():
        value = values.get(name)
        try:
            if value is not None and value != "":
                clean["window" if name == "window_minutes" else name] = read(value)
            elif name in ("symbol", "side", "quantity"):
                errors[name] = "is required"
        except ValueError as error:
            errors[name] = str(error)
    if not errors:
        errors = _contradictions(clean)
    if errors:
        raise InvalidSignal(errors)
    return Signal(**clean | _native(clean))


def _contradictions(clean: Mapping[str, Any]) -> dict[str, str]:
    errors = {}
    start, end = clean.get("start_at"), clean.get("end_at")
    if end is not None and "window" in clean:
        errors["end_at"] = "give either end_at or window_minutes, not both"
    if start is not None and end is not None and end <= start:
        errors["end_at"] = f"must be after start_at {start.isoformat()}, got {end.isoformat()}"
    if clean.get("slices", 1) > clean["quantity"]:
        errors["slices"] = (
            f"must not exceed the quantity {clean['quantity']}, got {clean['slices']}: "
            "a slice has at least one share"
        )
    return errors | _wrong_sizes(clean) | _pointless(clean) | _not_native(clean)


def _wrong_sizes(clean: Mapping[str, Any]) -> dict[str, str]:
    errors = {}
    least, most, quantity = clean.get("min_slice", 1), clean.get("max_slice"), clean["quantity"]
    if least > quantity:
        errors["min_slice"] = f"must not exceed the quantity {quantity}, got {least}"
    for name in ("min_slice", "lot_size"):
        if most is not None and most < clean.get(name, 1):
            errors["max_slice"] = f"must be at least {name} {clean[name]}, got {most}"
    return errors


def _pointless(clean: Mapping[str, Any]) -> dict[str, str]:
    """What the signal's own words leave without an effect."""
    policy, algorithm = clean.get("residual", "LEAVE"), clean.get("algorithm")
    needs = {
        "residual_minutes": RESIDUALS[1:],
        "residual_ignores_cap": ("FORCE", "CLOSE", "EXTEND_FORCE"),
        "max_extensions": ("EXTEND", "EXTEND_FORCE"),
    }
    errors = {
        name: f"needs residual {' or '.join(policies)}, got {policy}"
        for name, policies in needs.items()
        if clean.get(name) and policy not in policies
    }
    if algorithm in AT_ONCE:
        asked = [name for name in OVER_TIME if clean.get(name) and clean[name] != "LEAVE"]
        errors |= dict.fromkeys(asked, f"is for orders worked over time, not for {algorithm}")
    if "aggressive_after" in clean and algorithm not in (None, "LIMIT"):
        errors["aggressive_after"] = f"is for LIMIT, not for {algorithm}"
    return errors


def _native(clean: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of the broker's own algorithm, in its words. Raises ValueError."""
    if "native" not in clean:
        return {}
    given = clean.get("native_parameters", {})
    return {"native_parameters": native.read(clean["native"], given)}


def _not_native(clean: Mapping[str, Any]) -> dict[str, str]:
    """What the broker's own algorithm cannot follow."""
    name = clean.get("native")
    if name is None:
        lonely = {"native_parameters": "needs native, the name of an algorithm"}
        return lonely if "native_parameters" in clean else {}
    errors = {
        field: f"is not for an order that the broker's own {name} works in one child"
        for field in (*OVER_TIME, "slices", "aggressive_after")
        if clean.get(field) and clean[field] != "LEAVE"
    }
    if (algorithm := clean.get("algorithm", "LIMIT")) != "LIMIT":
        errors["native"] = f"works a LIMIT order: leave algorithm out, got {algorithm}"
    kind = native.NATIVES[name]
    if kind.over_time and (urgency := clean.get("urgency")) in ("HIGH", "IMMEDIATE"):
        errors["urgency"] = f"{name} works over time; {urgency} is for Adaptive alone"
    if "max_participation" in clean and not kind.share:
        errors["max_participation"] = f"{name} knows no share of the market's volume"
    try:
        _native(clean)
    except ValueError as error:
        errors["native_parameters"] = str(error)
    return errors


def _one_of(allowed: tuple[str, ...]) -> Any:
    def read(value: object) -> str:
        if value not in allowed:
            raise ValueError(f"must be one of {', '.join(allowed)}, got {value!r}")
        return str(value)

    return read


def _matching(pattern: re.Pattern[str], wanted: str) -> Any:
    def read(value: object) -> str:
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise ValueError(f"must be {wanted}, got {value!r}")
        return value

    return read


def _whole(maximum: int) -> Any:
    def read(value: object) -> int:
        wrong = ValueError(f"must be a whole number from 1 to {maximum:,}, got {value!r}")
        if isinstance(value, bool):
            raise wrong
        try:
            number = int(value) if isinstance(value, str) else index(value)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            raise wrong from None
        if not 1 <= number <= maximum:
            raise wrong
        return number

    return read


def _price(value: object) -> Decimal:
    wrong = ValueError(f"must be a price above 0 and up to {MAX_PRICE:,}, got {value!r}")
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise wrong
    try:
        price = Decimal(str(value)).quantize(Decimal("0.000001"))
        sane = 0 < price <= MAX_PRICE
    except InvalidOperation:  # also what not-a-number and infinity end in
        sane = False
    if not sane:
        raise wrong
    return price


def _time(value: object) -> datetime:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        moment = None
    if not isinstance(moment, datetime) or moment.tzinfo is None:
        raise ValueError(
            f"must be a time with its zone, like 2026-11-23T10:00:00-05:00, got {value!r}"
        )
    return moment.astimezone(UTC)


def _share(value: object) -> float:
    wrong = ValueError(f"must be a share above 0 and up to 1, got {value!r}")
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise wrong
    try:
        share = float(value)
    except ValueError:
        raise wrong from None
    if not 0 < share <= 1:
        raise wrong
    return share


def _inner_share(value: object) -> float:
    share = _share(value)
    if share == 1:
        raise ValueError(f"must be a share above 0 and below 1, got {value!r}")
    return share


def _switch(value: object) -> bool:
    for known, word in ((True, "true"), (False, "false")):
        if value is known or value == word:
            return known
    raise ValueError(f"must be true or false, got {value!r}")


def _minutes(value: object) -> timedelta:
    wrong = ValueError(
        f"must be a number of minutes above 0 and up to {MAX_WINDOW_MINUTES}, got {value!r}"
    )
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise wrong
    try:
        minutes = float(value)
    except ValueError:
        raise wrong from None
    if not 0 < minutes <= MAX_WINDOW_MINUTES:
        raise wrong
    return timedelta(minutes=minutes)


def _number_of_minutes(value: object) -> float:
    return _minutes(value) / timedelta(minutes=1)


_READERS: dict[str, Any] = {
    "symbol": _matching(_SYMBOL, "a ticker in capitals, like AAPL or BRK.B"),
    "side": _one_of(SIDES),
    "quantity": _whole(MAX_QUANTITY),
    "urgency": _one_of(URGENCIES),
    "algorithm": _one_of(ALGORITHMS),
    "decision_price": _price,
    "limit_price": _price,
    "average_daily_volume": _whole(10**12),
    "start_at": _time,
    "end_at": _time,
    "window_minutes": _minutes,
    "slices": _whole(MAX_QUANTITY),
    "vwap_deviation_threshold": _share,
    "max_participation": _share,
    "residual": _one_of(RESIDUALS),
    "residual_minutes": _number_of_minutes,
    "max_extensions": _whole(MAX_EXTENSIONS),
    "residual_ignores_cap": _switch,
    "aggressive_after": _inner_share,
    "would_price": _price,
    "lot_size": _whole(MAX_QUANTITY),
    "min_slice": _whole(MAX_QUANTITY),
    "max_slice": _whole(MAX_QUANTITY),
    "native": _one_of(tuple(native.NATIVES)),
    "native_parameters": native.pairs,
    "account": _matching(re.compile(r"[A-Za-z0-9_.-]{1,32}"), "1 to 32 letters, digits, _ . or -"),
    "strategy": _matching(_NAME, "1 to 64 plain characters"),
    "client_reference": _matching(_REFERENCE, "1 to 128 visible ASCII characters"),
}
