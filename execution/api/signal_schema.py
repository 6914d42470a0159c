"""A signal as the OpenAPI document shows it. Documentation alone: execution.domain.signal decides
what is accepted, and rules between fields are its own."""

from typing import Any

from execution.domain.algorithms.broker_native import NATIVES
from execution.domain.algorithms.registry import ALGOS
from execution.domain.field_aliases import ALIASES
from execution.domain.reading import LEAST_SHARE, MAX_PRICE, MAX_WINDOW_MINUTES
from execution.domain.signal import (
    MAX_EXTENSIONS,
    MAX_QUANTITY,
    RESIDUALS,
    SIDES,
    URGENCIES,
)

Schema = dict[str, Any]
_NULL = {"type": "null"}  # as if the field were left out
TICKER = r"^[A-Z][A-Z0-9]{0,9}(\.[A-Z0-9]{1,3})?$"
_DIGITS = r"^[0-9]{1,40}$"
_NUMBER = r"^([0-9]{1,40}(\.[0-9]{1,40})?|\.[0-9]{1,40})$"


def _whole(maximum: int = MAX_QUANTITY) -> list[Schema]:
    exact = {"type": "integer", "minimum": 1, "maximum": maximum}
    return [exact, {"type": "string", "pattern": _DIGITS}]


def _number(**bounds: float) -> list[Schema]:
    return [{"type": "number", **bounds}, {"type": "string", "pattern": _NUMBER}]


def _one_of(words: Any) -> list[Schema]:
    return [{"type": "string", "enum": list(words)}]


def _text(pattern: str) -> list[Schema]:
    return [{"type": "string", "pattern": pattern}]


_PRICE = _number(exclusiveMinimum=0, maximum=float(MAX_PRICE))
_SHARE = _number(minimum=float(LEAST_SHARE), maximum=1)
_MINUTES = _number(exclusiveMinimum=0, maximum=MAX_WINDOW_MINUTES)
_NAME = _text(r"^([A-Za-z0-9_.:@/]([A-Za-z0-9_.:@/ -]{0,62}[A-Za-z0-9_.:@/-])?)?$")
_TIME: list[Schema] = [{"type": "string", "format": "date-time"}]
_REQUIRED: dict[str, list[Schema]] = {
    "symbol": _text(TICKER),
    "side": _one_of(SIDES),
    "quantity": _whole(),
}
_OPTIONAL: dict[str, list[Schema]] = {
    "urgency": _one_of(URGENCIES),
    "algorithm": _one_of(ALGOS),
    "decision_price": _PRICE,
    "limit_price": _PRICE,
    "average_daily_volume": _whole(10**12),
    "start_at": _TIME,
    "end_at": _TIME,
    "window_minutes": _MINUTES,
    "slices": _whole(),
    "vwap_deviation_threshold": _SHARE,
    "max_participation": _SHARE,
    "participation": _SHARE,
    "residual": _one_of(RESIDUALS),
    "residual_minutes": _MINUTES,
    "max_extensions": _whole(MAX_EXTENSIONS),
    "residual_ignores_cap": [{"type": "boolean"}, *_one_of(("true", "false"))],
    "aggressive_after": _number(minimum=float(LEAST_SHARE), exclusiveMaximum=1),
    "would_price": _PRICE,
    "lot_size": _whole(),
    "min_slice": _whole(),
    "max_slice": _whole(),
    "native": _one_of(NATIVES),
    "native_parameters": [{"type": "object"}, {"type": "string"}],
    "account": _text(r"^[A-Za-z0-9_.][A-Za-z0-9_.-]{0,31}$"),
    "strategy": _NAME,
    "basket": _NAME,
    "client_reference": _text(r"^[\x21-\x7e]{1,128}$"),
}
_KINDS = _REQUIRED | _OPTIONAL
_BY_ALIAS: dict[str, Schema] = {
    alias: {
        "anyOf": [*_KINDS[field], _NULL],
        "description": f"Another name of `{field}`; where both are given they must agree.",
    }
    for alias, field in ALIASES.items()
}
SIGNAL: Schema = {
    "type": "object",
    "required": ["symbol", "quantity"],
    "anyOf": [{"required": ["side"]}, {"required": ["action"]}],
    "additionalProperties": False,
    "properties": {
        **{name: {"anyOf": kinds} for name, kinds in _REQUIRED.items()},
        **{name: {"anyOf": [*kinds, _NULL]} for name, kinds in _OPTIONAL.items()},
        **_BY_ALIAS,
    },
    "examples": [
        {
            "symbol": "AAPL",
            "side": "BUY",
            "quantity": 1000,
            "decision_price": "150.25",
            "algorithm": "TWAP",
            "window_minutes": 30,
            "client_reference": "rebalance-2026-11-27-AAPL",
        }
    ],
}
MOST_AT_ONCE = 5_000  # orders in one call
SIGNALS: Schema = {
    "oneOf": [SIGNAL, {"type": "array", "items": SIGNAL, "minItems": 1, "maxItems": MOST_AT_ONCE}]
}
