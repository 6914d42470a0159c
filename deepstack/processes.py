"""The command line of every process of the service, the same for a trial, a test and production."""

import sys
from pathlib import Path

QUEUES = "slices,settle,reports"
WORKER_THREADS = 8
THREADS = (
    42  # of one web process: more than `deepstack.web.request_lanes` gives to what may be slow
)
KEEP_ALIVE_SECONDS = 75
_CELERY = [sys.executable, "-m", "celery", "-A", "deepstack"]


def manage(*words: str) -> list[str]:
    return [sys.executable, "-m", "deepstack.manage", *words]


def web(address: str) -> list[str]:
    """`address` is host:port; threads, because a request may wait for PostgreSQL or Redis."""
    gunicorn = [sys.executable, "-m", "gunicorn", "deepstack.wsgi", "--no-control-socket"]
    size = ["--workers", "2", "--threads", str(THREADS), "--timeout", "30"]
    # Pools of clients keep a connection for a minute; who closes first resets the other's request.
    keep = ["--keep-alive", str(KEEP_ALIVE_SECONDS), "--limit-request-line", "8190"]
    kind = ["--worker-class", "deepstack.web.gunicorn_worker.Worker"]
    return [*gunicorn, "--bind", address, *size, *keep, *kind]


def stream(address: str) -> list[str]:
    """Server-sent events: one event loop, since each listener stays for minutes."""
    host, _, port = address.rpartition(":")
    uvicorn = [sys.executable, "-m", "uvicorn", "deepstack.asgi:application"]
    quiet = ["--lifespan", "off", "--no-access-log", "--log-level", "warning"]
    return [*uvicorn, "--host", host, "--port", port, *quiet, "--timeout-graceful-shutdown", "2"]


def worker(name: str, queues: str = QUEUES, threads: int = WORKER_THREADS) -> list[str]:
    pool = ["-P", "threads", "-c", str(threads), "-Q", queues]
    return [*_CELERY, "worker", *pool, "-n", f"{name}@%h", "--without-gossip", "--without-mingle"]


def dispatch() -> list[str]:
    return manage("dispatch")


def ibkr_gateway() -> list[str]:
    """Owns the one connection to TWS or IB Gateway; needed where the live broker is `ibkr`."""
    return manage("ibkr_gateway")


def live_broker() -> list[str]:
    """What the live broker needs besides the workers; under paper trading it only waits."""
    return manage("live_broker")


def beat(schedule: Path) -> list[str]:
    """`schedule` is the file in which beat remembers what it ran when."""
    return [*_CELERY, "beat", "--schedule", str(schedule), "--pidfile="]


def flower(address: str, port: int) -> list[str]:
    """Looks and does not touch: stopping trade is the service's own business.

    User and password come from FLOWER_BASIC_AUTH, which no process list shows.
    """
    flower = [sys.executable, "-m", "deepstack.web.flower"]
    return [*flower, f"--address={address}", f"--port={port}", "--read_only"]
