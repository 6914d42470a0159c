"""The service's own settings with the stand-in broker, and adapters that may be struck."""

import os

from deepstack.settings import *  # noqa: F403
from execution.broker import BROKERS
from tests.chaos import set_faults as set_faults

BROKERS |= {
    "chaos": "tests.chaos.client.StandInBroker",
    "alpaca": "tests.chaos.struck.Alpaca",
    "ibkr": "tests.chaos.struck.Ibkr",
}

if os.environ.get("DEEPSTACK_CHAOS_TRIPLE"):
    from tests.chaos import triple as triple
