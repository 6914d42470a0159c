"""What a signal asks for, in plain values that can be kept with its order and compared later.

Times relative to the signal's arrival stay relative, and what it leaves open stays open: the same
signal has the same terms whenever it is sent, whatever was decided for it meanwhile.
"""

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime, timedelta
from decimal import Decimal

from execution.domain.exchange_time import readable
from execution.domain.signal import Signal

# Spelt out or left out, they ask for the same.
_USUAL: Mapping[str, object] = {
    "urgency": "NORMAL",
    "strategy": "",
    "basket": "",
    "residual": "LEAVE",
    "residual_ignores_cap": False,
    "lot_size": 1,
    "min_slice": 1,
}
_NAMES = {"window": "window_minutes"}


def terms_of(signal: Signal) -> dict[str, object]:
    """By the fields of a signal as they are given; without the reference that they stand under."""
    said = {field.name: getattr(signal, field.name) for field in fields(signal)}
    del said["client_reference"]
    return {
        _NAMES.get(name, name): _plain(value)
        for name, value in said.items()
        if value is not None and _USUAL.get(name) != value
    }


def differences(asked: Mapping[str, object], now: Mapping[str, object]) -> list[str]:
    """One phrase for each term that is not the same, such as "limit_price was 150, is 149"."""
    return [
        f"{name} was {_said(name, asked)}, is {_said(name, now)}"
        for name in [*now, *(name for name in asked if name not in now)]
        if asked.get(name) != now.get(name)
    ]


def _plain(value: object) -> object:
    match value:
        case Decimal():
            return f"{value.normalize():f}"
        case datetime():
            return value.isoformat()
        case timedelta():
            return value / timedelta(minutes=1)
        case Mapping():
            return dict(value)
    return value


def _said(name: str, terms: Mapping[str, object]) -> str:
    return str(readable(terms.get(name, _USUAL.get(name) or "not given")))
