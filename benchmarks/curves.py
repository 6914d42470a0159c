"""Pictures of planned against executed curves, for the documentation.

Replays one real session through the whole service (PostgreSQL, Redis, workers, dispatcher, paper
exchange), one order for each algorithm, and draws what was planned and what came of it.

    python -m benchmarks.curves [--bars FILE] [--out FOLDER] [--speed N]

writes one SVG for each algorithm, and one JSON document to stdout. Takes the three hours of the
orders, divided by the speed.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import accumulate
from pathlib import Path
from typing import Any

from benchmarks.bars import MIDCAPS, MINUTE, ROOT
from benchmarks.chart import BLUE, INK, ORANGE, Axis, Curve, svg
from benchmarks.service import START_SECONDS, process, until
from deepstack import processes
from deepstack.local import embedded_servers

DAY = date(2024, 6, 12)
# New York: the clock, when the orders are handed over, their window.
OPENS, ARRIVE, STARTS, ENDS = time(12, 15), time(12, 59), time(13), time(16)
SPEED = 60.0
PATIENCE = 60.0  # seconds beyond the last window
SETTINGS = {
    "MARKET__SOURCE": "replay",
    "LOG_LEVEL": "WARNING",
    # Of thin names the last price stands longer, and moves further than usual within a minute.
    "EXECUTION__ROUTING__CHILD_TOLERANCE_BPS": "50",
    "LIMITS__MAX_SPREAD_BPS": "500",
    # Of real time: at sixty times its speed the usual one is minutes, and no slice so short.
    "EXECUTION__SCHEDULING__MIN_LIFE_SECONDS": "0.5",
    # So that the curve differs from equal slices within three hours.
    "EXECUTION__IMPLEMENTATION_SHORTFALL__RISK_AVERSION": "0.00001",
}
PARTICIPATION = 0.10
# Each on a symbol of its own: a cap and the tape are shared by all orders of a symbol.
ORDERS: dict[str, dict[str, Any]] = {
    "MARKET": {"symbol": "BKNG", "quantity": 400},
    "LIMIT": {"symbol": "CPAY", "quantity": 1_000},
    "TWAP": {"symbol": "TDG", "quantity": 600, "slices": 18},
    "VWAP": {"symbol": "GWW", "quantity": 2_000},
    "POV": {"symbol": "TYL", "quantity": 8_000, "max_participation": PARTICIPATION},
    "IS": {"symbol": "NDSN", "quantity": 3_000, "slices": 18},
}
PRICED = frozenset({"MARKET", "LIMIT"})
SHORTEST = 10.0  # minutes that a picture of prices shows
STEPS = (0.05, 0.1, 0.2, 0.25, 0.5, 1, 2, 5, 10, 20, 50)  # dollars from tick to tick


@dataclass(frozen=True, slots=True)
class Run:
    """One order as it was planned and as it went, and the tape of its window. All times are minutes
    after its start."""

    algorithm: str
    name: str
    quantity: int
    start: datetime
    length: float
    limit: float | None
    planned: Sequence[tuple[float, int]]  # when due, shares that should be executed once it is done
    fills: Sequence[tuple[float, int, float]]  # when, shares, price
    tape: Sequence[tuple[float, float, int]]  # end of a bar, its last price, its shares
    against: str
    cost_bps: float | None

    @property
    def filled(self) -> int:
        return sum(shares for _, shares, _ in self.fills)

    def as_json(self) -> dict[str, object]:
        return {
            "algorithm": self.algorithm,
            "order": self.name,
            "filled": self.filled,
            "slices": len(self.planned),
            "fills": len(self.fills),
            "cost_bps": None if self.cost_bps is None else round(self.cost_bps, 2),
            "against": self.against,
        }


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Pictures of planned against executed curves")
    parser.add_argument("--bars", type=Path, default=MIDCAPS)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "pictures")
    parser.add_argument("--speed", type=float, default=SPEED, help="market time per real time")
    options = parser.parse_args(arguments)
    if not options.bars.exists():
        print(f"{options.bars}: no such file; set DEEPSTACK_DATA to its folder", file=sys.stderr)
        return 2
    runs = replayed(options.bars.resolve(), options.speed)
    options.out.mkdir(parents=True, exist_ok=True)
    for run in runs:
        file = options.out / f"{run.algorithm.lower()}.svg"
        file.write_text(drawn(run), encoding="utf-8")
    print(json.dumps([run.as_json() for run in runs], indent=2))
    return 0


def replayed(bars: Path, speed: float) -> list[Run]:
    with tempfile.TemporaryDirectory(prefix="deepstack-curves-") as folder, ExitStack() as stack:
        servers = stack.enter_context(embedded_servers.started(Path(folder)))
        os.environ |= SETTINGS | {
            "DATABASE_URL": servers.database_url,
            "REDIS_URL": servers.redis_url,
            "LOG_FILE": f"{folder}/deepstack.log",
        }
        symbols = [signal["symbol"] for signal in ORDERS.values()]
        before = (DAY - timedelta(days=1)).isoformat()
        for words in (
            ["migrate", "--verbosity", "0"],
            ["load_bars", str(bars), "--date", DAY.isoformat(), "--symbol", *symbols],
            ["learn_profiles", "--source", str(bars), "--until", before],
        ):
            subprocess.run(processes.manage(*words), check=True, stdout=subprocess.DEVNULL)
        start_clock(speed)
        stack.enter_context(process(folder, "w1", processes.worker("w1")))
        stack.enter_context(process(folder, "dispatch", processes.dispatch()))
        return traded(speed)


def start_clock(speed: float) -> None:
    from deepstack import django_setup

    django_setup.ensure()
    from execution.market import clock
    from execution.market.calendar import new_york

    clock.start_clock(new_york(DAY, OPENS), speed)


def traded(speed: float) -> list[Run]:
    from execution import context, heartbeat
    from execution.entry import acceptance
    from execution.market.calendar import new_york
    from execution.models import Heartbeat, Order

    until(lambda: heartbeat.alive(Heartbeat.Kind.WORKER) >= 1, START_SECONDS)
    until(lambda: heartbeat.alive(Heartbeat.Kind.DISPATCH) >= 1, START_SECONDS)
    here, start, end = context.default(), new_york(DAY, STARTS), new_york(DAY, ENDS)
    until(lambda: here.now() >= new_york(DAY, ARRIVE), START_SECONDS)
    common = {"side": "BUY", "start_at": start}
    windows = [{} if name == "MARKET" else {"end_at": end} for name in ORDERS]
    orders = acceptance.accept_all(
        [
            {**common, "algorithm": name, **terms, **window}
            for (name, terms), window in zip(ORDERS.items(), windows, strict=True)
        ],
        here,
    )
    live = Order.objects.filter(finished_at__isnull=True)
    until(lambda: not live.exists(), (end - here.now()).total_seconds() / speed + PATIENCE)
    return [_run(order.pk) for order in orders]


def _run(order_id: int) -> Run:
    from execution import context
    from execution.models import Order
    from execution.orders import queries, results

    order, here = Order.objects.get(pk=order_id), context.default()
    parts, seen = queries.slices_of(order_id), queries.tracking(order, here.market, now=here.now())
    limits = [part.limit_price for part in parts if part.limit_price]
    tape = here.market.bars(order.symbol, order.start_at, order.end_at)

    def minute(at: datetime) -> float:
        return round((at - order.start_at) / MINUTE, 3)

    return Run(
        algorithm=order.algorithm,
        name=f"{order.side} {order.quantity:,} {order.symbol}",
        quantity=order.quantity,
        start=order.start_at,
        length=minute(order.end_at),
        limit=float(limits[0]) if limits else None,
        planned=[(minute(part.due_at), part.cumulative_quantity) for part in parts],
        fills=sorted(
            (minute(fill.executed_at), fill.quantity, float(fill.price))
            for fill in queries.fills_of(order_id)
        ),
        tape=[(minute(bar.end), float(bar.close), bar.volume) for bar in tape],
        against="the market's VWAP" if seen else "the arrival mid",
        cost_bps=seen.deviation_bps if seen else results.actual_slippage_bps(order),
    )


def drawn(run: Run) -> str:
    return _prices(run) if run.algorithm in PRICED else _shares(run)


def _shares(run: Run) -> str:
    """Parts of the order, and of the market's volume in the window, in per cent."""
    done = accumulate(shares for _, shares, _ in run.fills)
    executed = [(at, shares) for (at, _, _), shares in zip(run.fills, done, strict=True)]
    curves = [
        _market(run),
        Curve("planned", INK, _held(run, run.planned), dashed=True, stepped=True),
        Curve("executed", BLUE, _held(run, executed), stepped=True, wide=True),
    ]
    up = Axis(0, 100, [(value, f"{value} %") for value in range(0, 101, 25)])
    return svg(_title(run), _subtitle(run), curves, _hours(run, run.length), up)


def _market(run: Run) -> Curve:
    """Its volume, for POV the part of it that the order may be."""
    traded = list(accumulate(shares for _, _, shares in run.tape))
    volume = [(at, shares) for (at, _, _), shares in zip(run.tape, traded, strict=True)]
    if run.algorithm != "POV":
        return Curve("the market's volume", ORANGE, _parts(volume, traded[-1]))
    parts = _parts(volume, int(run.quantity / PARTICIPATION))
    within = [point for point in parts if point[1] <= 100]
    return Curve(f"{PARTICIPATION:.0%} of the market's volume", ORANGE, within)


def _held(run: Run, points: Sequence[tuple[float, int]]) -> list[tuple[float, float]]:
    """Parts of the order, the last one until the end of the window."""
    parts = _parts(points, run.quantity)
    return [*parts, (run.length, parts[-1][1])]


def _parts(points: Sequence[tuple[float, int]], whole: int) -> list[tuple[float, float]]:
    return [(0.0, 0.0), *((at, 100 * count / whole) for at, count in points)]


def _prices(run: Run) -> str:
    """The market's price, the limit, and the fills."""
    last = min(max(run.fills[-1][0] * 1.25, SHORTEST) if run.fills else run.length, run.length)
    tape = [(at, price) for at, price, _ in run.tape if at <= last]
    fills = [(at, price) for at, _, price in run.fills]
    curves = [Curve("the market, last price of each minute", INK, tape)]
    if run.limit is not None:
        limit = [(0.0, run.limit), (last, run.limit)]
        curves.append(Curve("limit", ORANGE, limit, dashed=True))
    curves.append(Curve("fills", BLUE, fills, dots=True))
    seen = [price for curve in curves for _, price in curve.points]
    up = _dollars(min(seen), max(seen))
    return svg(_title(run), _subtitle(run), curves, _hours(run, last), up)


def _hours(run: Run, length: float) -> Axis:
    step = 30 if length > 60 else 15 if length > 20 else 5
    opened = datetime.combine(DAY, STARTS)
    ticks = [
        (float(minute), f"{opened + MINUTE * minute:%H:%M}")
        for minute in range(0, int(length) + 1, step)
    ]
    return Axis(0, length, ticks)


def _dollars(low: float, high: float) -> Axis:
    room = max(high - low, 0.1) * 0.08
    step = next(each for each in STEPS if (high - low) / each <= 5)
    ticks = [(k * step, f"{k * step:,.2f}") for k in range(int(low / step), int(high / step) + 2)]
    low, high = low - room, high + room
    return Axis(low, high, [tick for tick in ticks if low <= tick[0] <= high])


def _title(run: Run) -> str:
    return f"{run.algorithm}: {run.name}"


def _subtitle(run: Run) -> str:
    slices = f"{len(run.planned)} slice{'' if len(run.planned) == 1 else 's'}"
    cost = "" if run.cost_bps is None else f", {run.cost_bps:+.1f} bps against {run.against}"
    return f"{DAY:%-d %B %Y}, New York; {slices}, {run.filled:,} shares filled{cost}"


if __name__ == "__main__":
    sys.exit(main())
