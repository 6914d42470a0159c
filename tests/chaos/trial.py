"""One fault from an empty database to its verdict."""

import random
import re
import shutil
import time
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import astuple, replace
from datetime import timedelta
from pathlib import Path

from django.apps import apps
from django.core.serializers import serialize
from django.db import OperationalError, connection
from django.utils import timezone

from deepstack.local import embedded_servers
from execution import context
from execution.context import Context
from execution.domain.lifecycle import ORDER_LIVE
from execution.entry import acceptance
from execution.models import Fill, Heartbeat, IbkrGateway, MarketClock, Order, OrderEvent, Slice
from tests.chaos.audit import Row, added, judge, planned
from tests.chaos.broker_faults import of
from tests.chaos.faults import Fault, Scene
from tests.chaos.ground import Ground
from tests.chaos.venue import wait_until

# A symbol has one side: an account may not trade with itself.
BOUGHT, SOLD = ("AAPL", "MSFT", "GOOGL", "SPY"), ("QQQ", "TSLA", "NVDA", "AMD")
KEPT = (Heartbeat, IbkrGateway, MarketClock)  # known to the processes that live on
EVIDENCE = embedded_servers.VAR / "chaos"
PATIENCE = 60.0  # seconds after the window until every parent must have ended


def chosen(venue: str, words: Sequence[str] | None) -> list[str]:
    """The faults whose names contain one of the words; all without any. Last come those for which
    every process starts anew."""
    names = [name for name in of(venue) if not words or any(word in name for word in words)]
    return sorted(names, key=lambda name: bool(of(venue)[name].env))


def run(name: str, ground: Ground, seed: int, asked: Namespace) -> Row:
    fault = of(ground.broker.name)[name]
    rng = random.Random(f"{seed}:{name}")
    log = ground.folder / f"{seed}-{re.sub(r'[^A-Za-z0-9]+', '-', name)}.log"
    _clear(ground)
    ground.broker.reset(rng.randrange(2**31), log)
    ground.mend(**fault.env)
    ground.broker.behave(**fault.conduct)
    seconds = max(asked.window, fault.seconds)
    orders = acceptance.accept_all(_signals(rng, asked, fault, seconds), _context(fault))
    plan = planned(orders)
    scene = Scene(ground, rng, seconds, orders)
    fault.strike(scene)
    _await_end(ground, scene)
    plan += added(plan, orders)
    row = judge(name, plan, ground.broker.entries(), ground.broker.excess(), scene.blow)
    if not row.clean:
        _keep(ground, EVIDENCE / log.stem)
    return row


def _keep(ground: Ground, folder: Path) -> None:
    """The logs of all processes and the rows of all slices, for whoever looks into it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for log in ground.folder.glob("*.log"):
        shutil.copy(log, folder)
    for model in (Order, Slice, Fill, OrderEvent):
        text = serialize("jsonl", model.objects.order_by("pk"))
        (folder / f"{model.__name__}.jsonl").write_text(text)
    print(f"{folder}: what is needed to see why", flush=True)


def _signals(
    rng: random.Random, asked: Namespace, fault: Fault, seconds: float
) -> list[dict[str, object]]:
    """The usual parents, or as many slices in parents that all start at the same moment."""
    count = fault.together or asked.parents
    slices = max(asked.parents * asked.slices // count, 1)
    when = {"start_at": timezone.now() + timedelta(seconds=3)} if fault.together else {}
    return [
        {
            "symbol": symbol,
            "side": "BUY" if symbol in BOUGHT else "SELL",
            "quantity": rng.randint(slices, slices * 100),
            "algorithm": "TWAP",
            "window_minutes": seconds / 60,
            "slices": slices,
            **when,
        }
        for symbol in rng.choices([*BOUGHT, *SOLD], k=count)
    ]


def _context(fault: Fault) -> Context:
    """Without jitter where everything is to be due in one and the same millisecond."""
    usual = context.default()
    if not fault.together:
        return usual
    execution = usual.config.execution
    twap = execution.twap.model_copy(update={"timing_randomization": 0.0})
    config = usual.config.model_copy(
        update={"execution": execution.model_copy(update={"twap": twap})}
    )
    return replace(usual, config=config)


def _clear(ground: Ground) -> None:
    ground.wake()
    ground.kill_companion()
    ground.disarm()
    ground.redis_client().flushall()
    wait_until(_empty_tables, 30, "the tables to be empty")


def _empty_tables() -> bool:
    """False when a process that still reads them was in the way."""
    models = apps.get_app_config("execution").get_models()
    tables = [model._meta.db_table for model in models if model not in KEPT]
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"TRUNCATE {', '.join(tables)} CASCADE")
    except OperationalError:
        return False
    return True


def _await_end(ground: Ground, scene: Scene) -> None:
    """Until every parent has ended and all the broker's executions are booked, or patience is
    over; what has not ended by then is the audit's business."""
    deadline = scene.started + scene.seconds + PATIENCE
    while time.time() < deadline:
        live = Order.objects.filter(status__in=ORDER_LIVE).exists()
        if not live and ground.broker.all_booked():
            return
        ground.supervise()
        time.sleep(0.2)


def heading() -> str:
    return "seed    " + " ".join(f"{name:>11}" for name in Row.names()[1:]) + "  fault"


def line(row: Row, seed: int, venue: str) -> str:
    """The row, and a word if what the fault held up left later than it should have."""
    cells = (
        f"{cell:>11.2f}" if isinstance(cell, float) else f"{cell:>11}" for cell in astuple(row)[1:]
    )
    within = of(venue)[row.fault].within
    late = f"  LATE: p99 over {within:g} s" if within and row.p99 > within else ""
    return f"{seed:<8}{' '.join(cells)}  {row.fault}{late}"
