"""What every broker must do, whatever it is made of: one suite, run over a real connection.

To put a broker under it, write a `Rig` and subclass `BrokerContract`:

    class TestAlpaca(BrokerContract):
        @pytest.fixture
        def rig(self) -> Iterator[Rig]:
            ...start the peer in a process of its own, yield the rig, end the peer...

The rig is two things: the broker as the workers would open it, and a hand on the other side of the
wire that tells the exchange what to do and reads its log. Nothing of the broker is replaced.
What a broker has no notion of is named in `lacks`, with the reason; those tests are skipped.
"""

from collections.abc import Callable

import pytest

from tests.brokers.contract_knowledge import KnowledgeContract
from tests.brokers.contract_orders import OrderContract
from tests.brokers.rig import Can, Rig


class BrokerContract(OrderContract, KnowledgeContract):
    """Subclass it and provide `rig`."""

    @pytest.fixture
    def rig(self) -> Rig:
        raise NotImplementedError("a subclass provides its rig")

    @pytest.fixture
    def able(self, rig: Rig) -> Callable[[Can], None]:
        def check(what: Can) -> None:
            if what in rig.lacks:
                pytest.skip(f"{what.value}: {rig.lacks[what]}")

        return check
