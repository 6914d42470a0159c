"""How much processor time planning an order and sizing a child take, as one JSON document.

python -m benchmarks.planning
"""

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from statistics import median
from time import process_time

from benchmarks.bars import REGULAR_MINUTES, Day
from execution.domain.algorithms.base import Spec
from execution.domain.algorithms.registry import ALGOS
from execution.domain.child_sizing import next_child, retarget
from execution.domain.volume_forecast import dynamic_target
from execution.domain.volume_profile import Profile

OPEN = datetime(2024, 6, 12, 13, 30, tzinfo=UTC)
MINUTES = [100 + abs(195 - minute) for minute in range(REGULAR_MINUTES)]
SESSION = Day(OPEN, MINUTES).session()
PROFILE = Profile.even(MINUTES)
QUANTITY = 1_000_000
NOON = OPEN + timedelta(minutes=195)
JITTER = timedelta(seconds=30)


def _spec(slices: int) -> Spec:
    return Spec(
        quantity=QUANTITY,
        start=OPEN,
        end=SESSION.close,
        slices=slices,
        session=SESSION,
        profile=PROFILE,
        jitter=JITTER,
        seed=7,
    )


def twap(slices: int) -> None:
    ALGOS["TWAP"].plan(_spec(slices))


def vwap() -> None:
    ALGOS["VWAP"].plan(_spec(REGULAR_MINUTES))


def child() -> None:
    next_child(
        quantity=QUANTITY,
        filled=480_000,
        working=2_000,
        planned=2_500,
        cumulative=500_000,
        slices_left=195,
    )


def step() -> None:
    """One decision of a schedule that follows the market: forecast, aim, size."""
    share = dynamic_target(
        PROFILE,
        SESSION,
        start=OPEN,
        end=SESSION.close,
        until=NOON + timedelta(minutes=1),
        minutes=MINUTES[:195],
        minutes_from=OPEN,
        daily_volume=70_000.0,
        today=80_000.0,
    )
    aim = retarget(quantity=QUANTITY, share=share, before=490_000)
    next_child(
        quantity=QUANTITY,
        filled=480_000,
        working=2_000,
        planned=aim.planned,
        cumulative=aim.cumulative,
        slices_left=195,
    )


# name, what is timed, how often, the most that it may take in microseconds
TIMED: tuple[tuple[str, Callable[[], None], int, int], ...] = (
    ("TWAP, 390 slices", lambda: twap(390), 50, 5_000),
    ("VWAP, 390 slices", vwap, 50, 5_000),
    ("TWAP, 10,000 slices", lambda: twap(10_000), 5, 500_000),
    ("next_child", child, 2_000, 100),
    ("dynamic step", step, 2_000, 100),
)


def measure(action: Callable[[], None], times: int) -> list[float]:
    action()
    taken = []
    for _ in range(times):
        began = process_time()
        action()
        taken.append((process_time() - began) * 1e6)
    return taken


def figures() -> list[dict[str, object]]:
    results: list[dict[str, object]] = []
    for name, action, times, limit in TIMED:
        taken = measure(action, times)
        results.append(
            {
                "name": name,
                "median_us": round(median(taken), 2),
                "best_us": round(min(taken), 2),
                "limit_us": limit,
                "within_limit": median(taken) <= limit,
            }
        )
    return results


def main() -> int:
    results = figures()
    print(json.dumps({"benchmark": "planning", "results": results}, indent=2))
    return 0 if all(result["within_limit"] for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
