"""Orders that make a steady load, and what is said of how late their slices were."""

import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import psutil

SYMBOLS = [f"BENCH{number}" for number in range(20)]
PERCENTILES = (50, 90, 99, 100)


def twap(*, slices: int, minutes: float, quantity: int) -> dict[str, object]:
    return {
        "symbol": "AAPL",
        "side": "BUY",
        "quantity": quantity,
        "algorithm": "TWAP",
        "slices": slices,
        "window_minutes": minutes,
    }


def steady(rate: int, seconds: int, first: datetime) -> list[dict[str, object]]:
    """`rate` parents with a slice each second, their starts spread over the second from `first`."""
    signal = twap(slices=seconds, minutes=seconds / 60, quantity=seconds * 10)
    return [
        signal
        | {
            "start_at": first + timedelta(seconds=parent / rate),
            "symbol": SYMBOLS[parent % len(SYMBOLS)],
        }
        for parent in range(rate)
    ]


def at_once(count: int, moment: datetime) -> list[dict[str, object]]:
    """Parents of one slice, all due at the moment."""
    return [twap(slices=1, minutes=1, quantity=100) | {"start_at": moment}] * count


def of_many_symbols(count: int, moment: datetime) -> list[dict[str, object]]:
    """As `at_once`, each in a symbol of its own, of an account of their own."""
    return [
        each | {"symbol": f"WIDE{number}", "account": "wide"}
        for number, each in enumerate(at_once(count, moment))
    ]


def percentiles(values: Sequence[float]) -> dict[str, float]:
    ranked = sorted(values) or [float("nan")]  # nothing was measured
    last = len(ranked) - 1
    return {
        f"p{percent}": round(ranked[min(len(ranked) * percent // 100, last)], 2)
        for percent in PERCENTILES
    }


def stolen_since() -> Callable[[], float]:
    """What tells the percentage of this machine's processors that its host has given to others
    since now: beyond one or two, lateness says more of the host than of the service."""
    began, before = time.monotonic(), _stolen()

    def percent() -> float:
        lasted = (time.monotonic() - began) * psutil.cpu_count()
        return round((_stolen() - before) / lasted * 100, 1)

    return percent


def _stolen() -> float:
    return getattr(psutil.cpu_times(), "steal", 0.0)
