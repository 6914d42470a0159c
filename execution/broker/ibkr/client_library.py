"""The one place that imports the Interactive Brokers client library: ib_insync, or ib_async where
that is what is installed or asked for. In one folder their event modules overwrite each other.

Only the gateway process imports this. Its import makes an event loop, which a process that forks
must not share with its children.
"""

import asyncio
import logging
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from deepstack.config import current

# The library's event module asks for an event loop while it is imported, in whatever thread.
_loop = asyncio.new_event_loop()
asyncio.set_event_loop(_loop)
library: Any
try:
    installed = "ib_insync" if find_spec("ib_insync") else "ib_async"
    library = import_module(current().ibkr.library or installed)
finally:
    asyncio.set_event_loop(None)
    _loop.close()

NAME = library.__name__
RequestError: type[Exception] = library.wrapper.RequestError
ExecutionFilter = library.ExecutionFilter
Order = library.Order
Stock = library.Stock
TagValue = library.TagValue

# Stamps of executions that name no zone are the exchange's time, not this machine's.
UNNAMED_ZONE = "US/Eastern"
# The library logs what it makes of each message, which is often wrong; what the messages say is
# logged by the gateway. What the library cannot decode stays in the log.
for _part in ("wrapper", "client", "ib"):
    logging.getLogger(f"{NAME}.{_part}").setLevel(logging.CRITICAL)

# What TWS sends, by the names of its own API. The library's view of an order is not used: it takes
# many an error for a cancel, compares an orderStatus with that view before it reports it, and
# forgets its orders with the connection.
CALLBACKS = (
    "nextValidId", "managedAccounts", "openOrder", "orderStatus", "completedOrder", "execDetails",
    "commissionReport", "tickGeneric", "error",
)  # fmt: skip


def client(listener: object) -> Any:
    """A new, unconnected IB object. `listener` hears each of CALLBACKS, by a method of that name,
    before the library does; its methods must not raise."""
    ib = library.IB()
    ib.RaiseRequestErrors = True
    ib.TimezoneTWS = UNNAMED_ZONE
    # The gateway paces itself: this throttle would let a cancel wait behind placements.
    ib.client.MaxRequests = 0
    for name in CALLBACKS:
        setattr(ib.wrapper, name, _both(getattr(listener, name), getattr(ib.wrapper, name)))
    return ib


def _both(first: Any, then: Any) -> Any:
    def call(*arguments: Any) -> None:
        first(*arguments)
        then(*arguments)

    return call
