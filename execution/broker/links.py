"""Whether the way to the live broker is open: noted by the process that keeps the connection, read
by whoever must alert a person."""

import os
import socket
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from deepstack.config import Config
from execution.broker.ibkr.endpoint import endpoint_of
from execution.models import BrokerLink

# A row that nobody has refreshed for so long: its process is gone, or frozen.
STALE_AFTER = timedelta(seconds=3)
# A connection that is made anew, or compared, within this time is no trouble.
GRACE = timedelta(seconds=1.5)
PROCESSES = {"alpaca": "listen_alpaca", "ibkr": "ibkr_gateway"}


@dataclass(frozen=True, slots=True)
class Trouble:
    """The way to the live broker is not open. `since` is None where it never was."""

    broker: str
    address: str
    since: datetime | None
    reason: str


def note(broker: str, address: str, *, reason: str, since: datetime | None = None) -> None:
    """Write down how the connection stands now: `reason` says why it is down, and is empty while
    it is up. `since`: when that began, if it was noticed later. `address` as `address_of` has it.
    """
    now = timezone.now()
    seen = {"reason": reason[:300], "seen_at": now, "process": _process()}
    up = not reason
    if BrokerLink.objects.filter(broker=broker, address=address, up=up).update(**seen):
        return
    BrokerLink.objects.update_or_create(
        broker=broker, address=address, defaults={"up": up, "since": since or now, **seen}
    )


def trouble(config: Config, *, now: datetime | None = None) -> Trouble | None:
    """Why nothing can be expected of the live broker now; None while all is well, for paper
    trading, and for a broker whose connection no process keeps. `now`: real time."""
    if config.trading_mode != "live" or config.live_broker not in PROCESSES:
        return None
    address = address_of(config)
    now = now or timezone.now()
    broker = config.live_broker
    start = f"start `manage.py {PROCESSES[broker]}`"
    row = BrokerLink.objects.filter(broker=broker, address=address).first()
    if row is None:
        return Trouble(broker, address, None, f"no process has ever kept its connection: {start}")
    if row.seen_at < now - STALE_AFTER:
        # What the row says was true once; the process may have left it saying "up".
        since = row.seen_at if row.up else row.since
        return Trouble(
            broker, address, since, f"the process that keeps its connection is gone: {start}"
        )
    if row.up or now - row.since < GRACE:
        return None
    return Trouble(broker, address, row.since, row.reason)


def address_of(config: Config) -> str:
    """Under which name the connection of the live broker is noted."""
    return endpoint_of(config) if config.live_broker == "ibkr" else config.alpaca_base_url


def _process() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"
