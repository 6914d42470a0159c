"""How late slices leave and what they cost, with a broker that fills at once and with the paper
broker, all limits of live trading set; how many orders are accepted; a worker's memory.

Starts PostgreSQL, Redis, two workers and a dispatcher of its own, and after them the yardstick on
the same servers. Figures of one run compare with each other; a busy machine makes all of them
worse.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.load import (
    SYMBOLS,
    at_once,
    of_many_symbols,
    percentiles,
    steady,
    stolen_since,
    twap,
)
from benchmarks.processor_time import Kinds, per_slice_since, servers_in
from deepstack import processes
from deepstack.local import child_cleanup, embedded_servers

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from execution.models import Order

WORKERS = 2
START_SECONDS = 60.0
LEAD_SECONDS = 5.0  # between an order's arrival and its first slice
# Slices of one due moment, and how long before it their orders begin to be accepted.
BURST, BURST_LEAD_SECONDS = 1_000, 12.0
FLOOD, FLOOD_LEAD_SECONDS = 3_000, 45.0
INSTANT = "benchmarks.instant_broker"  # a Celery application
HISTORY = 200_000  # old orders of the same account and symbol
HISTORY_RATE = 50
# Each is asked for before every send, and none is reached.
LIMITS = {
    "LIMITS__MAX_POSITION": "1000000000",
    "LIMITS__MAX_DAILY_LOSS": "1000000000",
    "LIMITS__MAX_ORDER_QUANTITY": "1000000",
    "LIMITS__MAX_ORDER_NOTIONAL": "1000000000",
    "LIMITS__MAX_MESSAGES_PER_MINUTE": "1000000",
    # As with a real broker: the price is the market's, and nobody asks what paper orders did to it.
    "PAPER__IMPACT__COEFFICIENT": "0",
}


def figures(rates: Sequence[int], seconds: int) -> dict[str, object]:
    stolen, load = stolen_since(), round(os.getloadavg()[0], 2)
    with stores() as (folder, programs):
        with team(folder, programs, INSTANT) as kinds:
            measured: dict[str, object] = {"instant": rows(rates, seconds, kinds)}
            measured["burst"] = told(burst(BURST, BURST_LEAD_SECONDS))
            measured["flood"] = told(burst(FLOOD, FLOOD_LEAD_SECONDS))
            burst(BURST, BURST_LEAD_SECONDS, of_many_symbols)
            measured["wide"] = told(burst(BURST, BURST_LEAD_SECONDS, of_many_symbols))
        with team(folder, programs) as kinds:
            measured["paper"] = rows(rates, seconds, kinds)
            measured["paper_flood"] = told(burst(FLOOD, FLOOD_LEAD_SECONDS))
        with team(folder, programs, INSTANT):
            measured["history"] = told(history(seconds))
        with team(folder, programs) as kinds:  # last, as its orders live on
            measured |= _orders(kinds)
        yardstick = _yardstick(folder, rates, seconds, programs)
    host = {"cores": os.cpu_count(), "load_before": load, "stolen_percent": stolen()}
    return {**host, "seconds": seconds, **measured, "yardstick": yardstick}


@contextmanager
def stores() -> Iterator[tuple[str, list[int]]]:
    """A folder with PostgreSQL and Redis, which this process uses too, and their process ids."""
    with tempfile.TemporaryDirectory(prefix="deepstack-bench-") as folder, ExitStack() as stack:
        servers = stack.enter_context(embedded_servers.started(Path(folder)))
        os.environ |= {
            "DATABASE_URL": servers.database_url,
            "REDIS_URL": servers.redis_url,
            "LOG_FILE": f"{folder}/deepstack.log",
            "LOG_LEVEL": "WARNING",
            **LIMITS,
        }
        subprocess.run(processes.manage("migrate", "--verbosity", "0"), check=True)
        yield folder, servers_in(Path(folder))


@contextmanager
def team(
    folder: str, programs: Sequence[int], application: str = "deepstack", workers: int = WORKERS
) -> Iterator[Kinds]:
    """Workers of a Celery application and a dispatcher, warm, while the block lasts."""
    from deepstack import django_setup

    django_setup.ensure()
    from execution import heartbeat
    from execution.models import Heartbeat

    Heartbeat.objects.all().delete()  # of the team before
    with ExitStack() as own:
        commands = [of_application(application, processes.worker(f"w{n}")) for n in range(workers)]
        started = [
            own.enter_context(process(folder, f"w{n}", command))
            for n, command in enumerate(commands)
        ]
        dispatch = own.enter_context(process(folder, "dispatch", processes.dispatch()))
        until(lambda: heartbeat.alive(Heartbeat.Kind.WORKER) >= workers, START_SECONDS)
        until(lambda: heartbeat.alive(Heartbeat.Kind.DISPATCH) >= 1, START_SECONDS)
        lateness(len(SYMBOLS), 5)  # warm: imports, connections, plans, the days of the symbols
        yield {"workers": started, "dispatch": [dispatch], "servers": programs}


def of_application(application: str, command: Sequence[str]) -> list[str]:
    return [application if word == "deepstack" else word for word in command]


def rows(rates: Sequence[int], seconds: int, kinds: Kinds) -> list[dict[str, object]]:
    found = []
    for rate in rates:
        found.append(_at(rate, seconds, kinds))
        told(found[-1])
    return found


def told(figures: dict[str, object]) -> dict[str, object]:
    """A run takes a quarter of an hour: who waits sees how far it has come."""
    print(json.dumps(figures), file=sys.stderr, flush=True)
    return figures


def _orders(kinds: Kinds) -> dict[str, object]:
    return {
        "order_of_10000_slices_over_a_session": big_order(390),
        "order_of_10000_slices_all_within_the_horizon": big_order(1.9),
        "bulk_1000_orders_x_20_slices": bulk(),
        "worker_memory": memory_beyond_horizon(kinds["workers"]),
    }


def _at(rate: int, seconds: int, kinds: Kinds) -> dict[str, object]:
    """Where slices wait, fewer than planned are sent: the others end with their order's window."""
    cost = per_slice_since(kinds)
    figures = lateness(rate, seconds)
    return figures | {"processor_ms": cost(int(str(figures["sent"])))}


def burst(
    count: int,
    lead: float,
    signals_at: Callable[[int, datetime], list[dict[str, object]]] = at_once,
) -> dict[str, object]:
    """Slices of as many orders with one and the same due moment."""
    from execution import context

    moment = context.default().now() + timedelta(seconds=lead)
    signals = signals_at(count, moment)
    found = _lateness(signals, lead + START_SECONDS, end=moment, randomized=False)
    return found | {"per_second": round(1_000 * found["sent"] / found["p100"])}


def history(seconds: int) -> dict[str, object]:
    """Lateness with an empty history, and after so many old orders with a slice each."""
    from benchmarks import old_orders

    before = lateness(HISTORY_RATE, seconds)
    old_orders.copy(HISTORY)
    lateness(10, 5)  # every connection plans anew after ANALYZE
    return {"orders": HISTORY, "before": before, "after": lateness(HISTORY_RATE, seconds)}


def _yardstick(
    folder: str, rates: Sequence[int], seconds: int, programs: Sequence[int]
) -> list[dict[str, object]]:
    """The same loads for the least that Django and Celery do: see `benchmarks.yardstick.worker`."""
    queue = os.environ["REDIS_URL"].replace("unix://", "redis+socket://", 1)
    queue = queue.replace("db=0", "virtual_host=5")
    settings = "benchmarks.yardstick.settings"
    environment = os.environ | {"YARDSTICK_BROKER": queue, "DJANGO_SETTINGS_MODULE": settings}
    celery = [sys.executable, "-m", "celery", "-A", "benchmarks.yardstick.worker", "worker"]
    command = [*celery, "-c", str(WORKERS), "--without-gossip", "--without-mingle"]
    with process(folder, "yardstick", command, environment) as pid:
        kinds = {"workers": [pid], "servers": programs}
        _load_yardstick(10, 5, environment)  # warm
        rows = []
        for rate in rates:
            cost = per_slice_since(kinds)
            late = _load_yardstick(rate, seconds, environment)
            rows.append(told(late | {"processor_ms": cost(late["sent"])}))
    return rows


def _load_yardstick(rate: int, seconds: int, environment: dict[str, str]) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.yardstick", str(rate), str(seconds)]
    load = subprocess.run(command, check=True, env=environment, stdout=subprocess.PIPE)
    found: dict[str, Any] = json.loads(load.stdout)
    return found


def lateness(rate: int, seconds: int) -> dict[str, object]:
    """From the due time to the broker call, in ms, of a steady load."""
    from execution import context

    first = context.default().now() + timedelta(seconds=LEAD_SECONDS)
    end = first + timedelta(seconds=seconds)
    longest = LEAD_SECONDS + seconds + START_SECONDS
    return {"rate": rate, **_lateness(steady(rate, seconds, first), longest, end=end)}


def _lateness(
    signals: list[dict[str, object]], longest: float, *, end: datetime, randomized: bool = True
) -> dict[str, Any]:
    """`in_time`: what was sent by the `end` of the load. `randomized`: each slice is due somewhat
    beside its planned moment, as ever."""
    from execution import context
    from execution.entry import acceptance
    from execution.models import Order, Slice

    given = context.default()
    if not randomized:
        twap = given.config.execution.twap.model_copy(update={"timing_randomization": 0.0})
        execution = given.config.execution.model_copy(update={"twap": twap})
        given = replace(given, config=given.config.model_copy(update={"execution": execution}))
    orders = acceptance.accept_all(signals, given)
    ids = [order.pk for order in orders]
    live = Order.objects.filter(pk__in=ids, finished_at__isnull=True)
    if not _within(longest, lambda: not live.exists()):
        _cancel(live)
    planned = Slice.objects.filter(order__in=ids)
    late: list[float] = list(
        planned.filter(lateness_ms__isnull=False).values_list("lateness_ms", flat=True)
    )
    return {
        "sent": len(late),
        "in_time": planned.filter(lateness_ms__isnull=False, sent_at__lte=end).count(),
        "planned": planned.count(),
        "filled": Order.objects.filter(pk__in=ids, status="FILLED").count(),
        **percentiles(late),
    }


def _cancel(live: "QuerySet[Order]") -> None:
    """What a full machine has not ended in time: the next load is to begin without it."""
    from execution import context
    from execution.entry import order_controls

    for number in live.values_list("pk", flat=True):
        with suppress(order_controls.NotAllowed):  # it has ended meanwhile
            order_controls.cancel(number, by="benchmark", now=context.default().now())
    until(lambda: not live.exists(), 2 * START_SECONDS)


def big_order(minutes: float) -> dict[str, float]:
    """One order of 10,000 slices in a window of so many minutes: seconds until it is stored, and
    until all slices within the horizon are enqueued."""
    from execution import context, task_queue
    from execution.entry import acceptance, order_controls

    started = time.perf_counter()
    order = acceptance.accept(
        twap(slices=10_000, minutes=minutes, quantity=100_000), context.default()
    )
    stored = time.perf_counter() - started
    seconds = context.default().config.execution.scheduling.horizon_seconds
    near = order.slices.filter(due_at__lte=task_queue.horizon_end(order.created_at, seconds))
    # A task may run before its publishing is noted, and the slice be skipped.
    silent = near.filter(enqueued_at_real__isnull=True, attempt=0, finished_at__isnull=True)
    until(lambda: not silent.exists(), START_SECONDS)
    enqueued = time.perf_counter() - started
    order_controls.cancel(order.pk, by="benchmark", now=context.default().now())
    return {"stored_s": round(stored, 2), "enqueued_s": round(enqueued, 2)}


def bulk() -> dict[str, float]:
    """1,000 orders of 20 slices in one call, due far enough away not to be sent meanwhile."""
    from execution import context
    from execution.entry import acceptance

    signal = twap(slices=20, minutes=600, quantity=2_000)
    started = time.perf_counter()
    acceptance.accept_all([signal] * 1_000, context.default())
    return {"accepted_s": round(time.perf_counter() - started, 2)}


def memory_beyond_horizon(workers: Sequence[int]) -> dict[str, object]:
    """What 10,000 more slices beyond the horizon add to the workers' resident memory."""
    from execution import context
    from execution.entry import acceptance

    before = [_resident_mb(pid) for pid in workers]
    acceptance.accept_all(
        [twap(slices=5_000, minutes=1_000, quantity=50_000)] * 2, context.default()
    )
    time.sleep(10)
    after = [_resident_mb(pid) for pid in workers]
    return {"before_mb": before, "after_mb": after}


def _resident_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return round(int(line.split()[1]) / 1024, 1)
    raise RuntimeError(f"process {pid} shows no memory")


@contextmanager
def process(
    folder: str, name: str, command: Sequence[str], environment: dict[str, str] | None = None
) -> Iterator[int]:
    with Path(folder, f"{name}.log").open("ab") as log:
        process = subprocess.Popen(
            command,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env=environment,
            pass_fds=child_cleanup.parent_pipe(),
        )
        try:
            yield process.pid
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def until(condition: Callable[[], bool], seconds: float) -> None:
    if not _within(seconds, condition):
        sys.exit(f"waited {seconds:g} s in vain: the figures would mean nothing")


def _within(seconds: float, condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True
