"""Signals that no door accepts: what is wrong, how it is written, and the field that is named."""

from typing import Any

GOOD: dict[str, Any] = {"symbol": "AAPL", "side": "BUY", "quantity": 100, "decision_price": "150"}

BAD_SIGNALS: list[tuple[str, dict[str, Any], str]] = [
    ("symbol in small letters", {"symbol": "aapl"}, "symbol"),
    ("symbol with a blank", {"symbol": "AA PL"}, "symbol"),
    ("symbol too long", {"symbol": "ABCDEFGHIJKL"}, "symbol"),
    ("symbol beyond ASCII", {"symbol": "ÄPFEL"}, "symbol"),
    ("symbol that is SQL", {"symbol": "A';DROP TABLE--"}, "symbol"),
    ("no side of ours", {"side": "HOLD"}, "side"),
    ("side in small letters", {"side": "buy"}, "side"),
    ("nothing to buy", {"quantity": 0}, "quantity"),
    ("less than nothing", {"quantity": -5}, "quantity"),
    ("a fraction of a share", {"quantity": 1.5}, "quantity"),
    ("more shares than exist", {"quantity": 10**12}, "quantity"),
    ("quantity in words", {"quantity": "ten"}, "quantity"),
    ("quantity in powers", {"quantity": "1e3"}, "quantity"),
    ("no urgency of ours", {"urgency": "ASAP"}, "urgency"),
    ("no algorithm of ours", {"algorithm": "ICEBERG"}, "algorithm"),
    ("price of nothing", {"decision_price": 0}, "decision_price"),
    ("negative price", {"decision_price": -150}, "decision_price"),
    ("price that is no number", {"decision_price": "NaN"}, "decision_price"),
    ("infinite price", {"limit_price": "Infinity"}, "limit_price"),
    ("price in words", {"limit_price": "cheap"}, "limit_price"),
    ("price beyond all prices", {"limit_price": 1e300}, "limit_price"),
    ("no daily volume", {"average_daily_volume": 0}, "average_daily_volume"),
    ("start in the past", {"start_at": "2020-01-02T15:00:00+00:00"}, "start_at"),
    ("start without its zone", {"start_at": "2050-01-03T15:00:00"}, "start_at"),
    ("start in words", {"start_at": "tomorrow"}, "start_at"),
    (
        "end before the start",
        {"start_at": "2050-01-03T15:00:00+00:00", "end_at": "2050-01-03T14:00:00+00:00"},
        "end_at",
    ),
    ("two ends", {"end_at": "2050-01-03T14:00:00+00:00", "window_minutes": 5}, "end_at"),
    ("empty window", {"window_minutes": 0}, "window_minutes"),
    ("window of more than a day", {"window_minutes": 1441}, "window_minutes"),
    ("window in words", {"window_minutes": "soon"}, "window_minutes"),
    ("no slices", {"slices": 0}, "slices"),
    ("more slices than shares", {"slices": 101}, "slices"),
    ("threshold above one", {"vwap_deviation_threshold": 2}, "vwap_deviation_threshold"),
    ("threshold that is no number", {"vwap_deviation_threshold": "x"}, "vwap_deviation_threshold"),
    ("more than all the volume", {"max_participation": 1.5}, "max_participation"),
    ("account with blanks", {"account": "my account"}, "account"),
    ("strategy too long", {"strategy": "x" * 65}, "strategy"),
    ("reference with a blank", {"client_reference": "two words"}, "client_reference"),
    ("reference too long", {"client_reference": "x" * 129}, "client_reference"),
]

# What only a program can write: a shell has neither types nor absent words.
BAD_JSON: list[tuple[str, dict[str, Any], str]] = [
    ("symbol missing", {"symbol": None}, "symbol"),
    ("symbol a number", {"symbol": 7}, "symbol"),
    ("symbol with a null byte", {"symbol": "AAPL\0"}, "symbol"),
    ("side a list", {"side": ["BUY"]}, "side"),
    ("quantity true", {"quantity": True}, "quantity"),
    ("quantity an object", {"quantity": {"shares": 5}}, "quantity"),
    ("quantity beyond a double", {"quantity": 10**400}, "quantity"),
    ("price true", {"limit_price": True}, "limit_price"),
    ("price a list", {"decision_price": [150]}, "decision_price"),
    ("a key that is not ours", {"notional": 5_000}, "notional"),
    ("a key from inside", {"status": "FILLED"}, "status"),
]
