"""Interactive Brokers: the contract of every broker."""

from collections.abc import Callable

import pytest

from execution.domain.lifecycle import SliceStatus
from tests.brokers.contract import BrokerContract
from tests.brokers.ibkr_rig import IbkrRig, context, rig
from tests.brokers.rig import Can, Rig

__all__ = ["context", "rig"]


class TestIbkr(BrokerContract):
    @pytest.fixture
    def rig(self, rig: IbkrRig) -> Rig:
        return rig

    @pytest.mark.parametrize("status", [SliceStatus.CANCELLED, SliceStatus.REJECTED])
    def test_an_end_that_nobody_asked_for_is_seen(
        self, rig: Rig, able: Callable[[Can], None], status: SliceStatus
    ) -> None:
        """The broker calls a day order that ran out cancelled."""
        super().test_an_end_that_nobody_asked_for_is_seen(rig, able, status)
