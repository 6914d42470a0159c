"""The service's own settings with one more broker: the stand-in that the torture run watches."""

import os

from deepstack.settings import *  # noqa: F403
from execution.broker import BROKERS

BROKERS["chaos"] = "tests.chaos.client.StandInBroker"

if os.environ.get("DEEPSTACK_CHAOS_TRIPLE"):
    from tests.chaos import triple as triple
