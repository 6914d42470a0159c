"""A strategy's signal: what may be asked, checked field by field before anything is stored."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import islice
from typing import Any, Self, TypedDict

from execution.domain import reading
from execution.domain.algorithms import broker_native, registry
from execution.domain.exchange_time import exchange_time
from execution.domain.field_aliases import resolve
from execution.domain.reading import MAX_WINDOW_MINUTES, MIN_WINDOW

SIDES = ("BUY", "SELL")
URGENCIES = ("LOW", "NORMAL", "HIGH", "IMMEDIATE")
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

# What only some algorithms can follow.
_FOR_SOME = {
    "aggressive_after": registry.resting(),
    "participation": registry.following(),
    "vwap_deviation_threshold": registry.judged_by_vwap(),
}

# One spelling for each share: a limit or a halt of BRK.B would not see BRK-B.
_SYMBOL = re.compile(r"[A-Z][A-Z0-9]{0,9}(\.[A-Z0-9]{1,3})?")
# Of a strategy, or a basket. What begins with a dash no command line could halt.
NAME = re.compile(r"(?![ -])[A-Za-z0-9_.:@/ -]{1,64}(?<! )")
NAME_WORDS = "1 to 64 letters, digits, any of _ . : @ /, and after the first also blanks and -"
ACCOUNT = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.-]{0,31}")
ACCOUNT_WORDS = "1 to 32 letters, digits, _ or ., and after the first also -"
_REFERENCE = re.compile(r"[\x21-\x7e]{1,128}")
MAX_QUANTITY = 1_000_000_000
MAX_EXTENSIONS = 100
MOST_ERRORS = 20  # wrong fields that are named
LONGEST_NAME = 40
MOST_DAYS_AHEAD = 30  # that an order may wait for its start


class InvalidSignal(ValueError):
    """The signal cannot be understood. `errors` has one sentence for each of the first 20 wrong
    fields."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        self.errors = dict(islice(errors.items(), MOST_ERRORS))
        self.left_out = len(errors) - len(self.errors)
        sentences = [f"{field}: {text}" for field, text in self.errors.items()]
        if self.left_out:
            sentences.append(f"and {self.left_out:,} more")
        super().__init__("; ".join(sentences))

    def renamed(self, names: Mapping[str, str]) -> Self:
        """The same in the words of a caller who writes other names for some fields; what the caller
        wrote as a value stays untouched."""
        words = re.compile(rf"\b({'|'.join(names)})\b")

        def said(text: str) -> str:
            sentence, got, value = text.partition(", got ")
            return words.sub(lambda found: names[found[0]], sentence) + got + value

        renamed = type(self)(
            {names.get(name, name): said(text) for name, text in self.errors.items()}
        )
        renamed.left_out = self.left_out
        return renamed


@contextmanager
def as_written(names: Mapping[str, str]) -> Iterator[None]:
    """Errors name fields as a door's caller writes them: `names` by the fields of `Signal`."""
    try:
        yield
    except InvalidSignal as error:
        raise (error.renamed(names) if names else error) from None


@dataclass(frozen=True, slots=True)
class Signal:
    """A request to trade. Prices per share; times in UTC trading time; None: decide for me."""

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
    max_participation: float | None = None  # a share of the market's volume, never passed
    participation: float | None = None  # the same that POV goes by
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
    basket: str = ""  # of orders that belong together
    client_reference: str | None = None


class Controls(TypedDict, total=False):
    """How an order is worked in detail, and the basket that it is in, by the fields of `Signal`;
    None: decide for me."""

    residual: str | None
    residual_minutes: float | None
    max_extensions: int | None
    residual_ignores_cap: bool | None
    aggressive_after: float | None
    participation: float | None
    would_price: float | Decimal | None
    lot_size: int | None
    min_slice: int | None
    max_slice: int | None
    native: str | None
    native_parameters: Mapping[str, object] | str | None
    basket: str | None


def parse(values: Mapping[str, object]) -> Signal:
    """A Signal from plain values; raises InvalidSignal that names every wrong field at once.

    None is "not given"; every other value is read, an empty text and a zero like any other.
    `window` is given in minutes, as `window_minutes`. Errors name an alias of a field where the
    caller wrote the alias.
    """
    fields, written, errors = resolve(values, _READERS)
    if not written:
        return _parse(fields, errors)
    with as_written(written):
        return _parse(fields, errors)


def _parse(values: Mapping[str, object], errors: dict[str, str]) -> Signal:
    clean: dict[str, Any] = {}
    for name, read in _READERS.items():
        value = values.get(name)
        try:
            if value is not None:
                clean["window" if name == "window_minutes" else name] = read(value)
            elif name in ("symbol", "side", "quantity"):
                errors[name] = "is required"
        except ValueError as error:
            errors[name] = str(error)
    unknown = f"unknown; known are {', '.join(sorted(_READERS))}"
    errors |= {_named(name): unknown for name in values if name not in _READERS}
    if not errors:
        errors = _contradictions(clean)
    if errors:
        raise InvalidSignal(errors)
    return Signal(**clean | _native(clean))


def _named(field: object) -> str:
    """A field's name as a sentence may show it."""
    plain = isinstance(field, str) and 0 < len(field) <= LONGEST_NAME and field.isprintable()
    return str(field) if plain else reading.shown(field)


def _contradictions(clean: Mapping[str, Any]) -> dict[str, str]:
    errors = {}
    start, end = clean.get("start_at"), clean.get("end_at")
    if end is not None and "window" in clean:
        errors["end_at"] = "give either end_at or window_minutes, not both"
    if start is not None and end is not None and (wrong := wrong_end(start, end)):
        errors["end_at"] = wrong
    if clean.get("slices", 1) > clean["quantity"]:
        errors["slices"] = (
            f"must not exceed the quantity {clean['quantity']}, got {clean['slices']}: "
            "a slice has at least one share"
        )
    return errors | _wrong_sizes(clean) | _pointless(clean) | _not_native(clean)


def wrong_end(start: datetime, end: datetime) -> str:
    """Why an order that starts then cannot end then; empty if it can."""
    bounds = f"start_at {exchange_time(start)}, got {exchange_time(end)}"
    if end <= start:
        return f"must be after {bounds}"
    if end - start < MIN_WINDOW:
        return f"must be at least a second after {bounds}"
    if end - start > timedelta(minutes=MAX_WINDOW_MINUTES):
        return f"must be at most {MAX_WINDOW_MINUTES} minutes after {bounds}"
    return ""


def wrong_start(start: datetime, now: datetime) -> str:
    """Why an order cannot wait for a start that lies so far ahead; empty if it can."""
    if start - now <= timedelta(days=MOST_DAYS_AHEAD):
        return ""
    latest = f"at most {MOST_DAYS_AHEAD} days ahead of {exchange_time(now)}"
    return f"must be {latest}, got {exchange_time(start)}"


def _wrong_sizes(clean: Mapping[str, Any]) -> dict[str, str]:
    errors = {}
    least, most, quantity = clean.get("min_slice", 1), clean.get("max_slice"), clean["quantity"]
    if least > quantity:
        errors["min_slice"] = f"must not exceed the quantity {quantity}, got {least}"
    for name in ("min_slice", "lot_size"):
        if most is not None and most < clean.get(name, 1):
            errors["max_slice"] = f"must be at least {name} {clean[name]}, got {most}"
    pace, cap = clean.get("participation"), clean.get("max_participation")
    if pace is not None and cap is not None and pace > cap:
        errors["participation"] = f"must not exceed max_participation {cap}, got {pace}"
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
    if algorithm is not None and not registry.of(algorithm).over_time:
        asked = [name for name in OVER_TIME if clean.get(name) and clean[name] != "LEAVE"]
        asked += ["slices"] if clean.get("slices", 1) > 1 else []
        errors |= dict.fromkeys(asked, f"is for orders worked over time, not for {algorithm}")
    for name, fitting in _FOR_SOME.items():
        if name in clean and algorithm not in (None, *fitting):
            errors[name] = f"is for {' or '.join(fitting)}, not for {algorithm}"
    return errors


def _native(clean: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of the broker's own algorithm, in its words. Raises ValueError."""
    if "native" not in clean:
        return {}
    given = clean.get("native_parameters", {})
    return {"native_parameters": broker_native.read(clean["native"], given)}


def _not_native(clean: Mapping[str, Any]) -> dict[str, str]:
    """What the broker's own algorithm cannot follow."""
    name = clean.get("native")
    if name is None:
        lonely = {"native_parameters": "needs native, the name of an algorithm"}
        return lonely if "native_parameters" in clean else {}
    errors = {
        field: f"is not for an order that the broker's own {name} works in one child"
        for field in (*OVER_TIME, "slices", "aggressive_after", "participation")
        if clean.get(field) and clean[field] != "LEAVE"
    }
    if (algorithm := clean.get("algorithm", "LIMIT")) != "LIMIT":
        errors["native"] = f"works a LIMIT order: leave algorithm out, got {algorithm}"
    kind = broker_native.NATIVES[name]
    if kind.over_time and (urgency := clean.get("urgency")) in ("HIGH", "IMMEDIATE"):
        errors["urgency"] = f"{name} works over time; {urgency} is for Adaptive alone"
    if "max_participation" in clean and not kind.share:
        errors["max_participation"] = f"{name} knows no share of the market's volume"
    try:
        _native(clean)
    except ValueError as error:
        errors["native_parameters"] = str(error)
    return errors


def _algorithm(value: object) -> object:
    return reading.one_of(tuple(registry.ALGOS))(value)


def _name_or_none(value: object) -> str:
    """Empty is the value of an order that no strategy claims, and of one in no basket."""
    return "" if isinstance(value, str) and value == "" else _name(value)


_name = reading.matching(NAME, NAME_WORDS)
ticker: reading.Reader = reading.matching(_SYMBOL, "a ticker in capitals, like AAPL or BRK.B")
_READERS: dict[str, reading.Reader] = {
    "symbol": ticker,
    "side": reading.one_of(SIDES),
    "quantity": reading.whole(MAX_QUANTITY),
    "urgency": reading.one_of(URGENCIES),
    "algorithm": _algorithm,
    "decision_price": reading.price,
    "limit_price": reading.price,
    "average_daily_volume": reading.whole(10**12),
    "start_at": reading.moment,
    "end_at": reading.moment,
    "window_minutes": reading.minutes,
    "slices": reading.whole(MAX_QUANTITY),
    "vwap_deviation_threshold": reading.share,
    "max_participation": reading.share,
    "participation": reading.share,
    "residual": reading.one_of(RESIDUALS),
    "residual_minutes": reading.number_of_minutes,
    "max_extensions": reading.whole(MAX_EXTENSIONS),
    "residual_ignores_cap": reading.switch,
    "aggressive_after": reading.inner_share,
    "would_price": reading.price,
    "lot_size": reading.whole(MAX_QUANTITY),
    "min_slice": reading.whole(MAX_QUANTITY),
    "max_slice": reading.whole(MAX_QUANTITY),
    "native": reading.one_of(tuple(broker_native.NATIVES)),
    "native_parameters": broker_native.pairs,
    "account": reading.matching(ACCOUNT, ACCOUNT_WORDS),
    "strategy": _name_or_none,
    "basket": _name_or_none,
    "client_reference": reading.matching(_REFERENCE, "1 to 128 visible ASCII characters"),
}
FIELDS: tuple[str, ...] = tuple(_READERS)
