"""The whole service in front of the TWS peer: a symbol is halted while its order is worked."""

from time import monotonic

import pytest

from execution.market.trading_halts import HOLD_SECONDS
from execution.models import MarketHalt, Order, OrderEvent
from tests.brokers.peers.tws_hand import TwsHand
from tests.integration.service.ibkr_service import PATIENCE, service, tws
from tests.stack import Stack, wait_for

__all__ = ["service", "tws"]

pytestmark = [pytest.mark.timeout(240), pytest.mark.any_date]

PLACE = 3
PLAN = ["--algorithm", "TWAP", "--slices", "60", "--window-minutes", "2"]
HALTED, TRADING = 1, 0


def order(stack: Stack) -> Order:
    done = stack.manage("order", "BUY", "6000", "AAPL", *PLAN, "--no-wait")
    assert done.returncode == 0, done.stdout + done.stderr
    return Order.objects.latest("pk")


def test_a_halt_by_tick_holds_the_slices_and_the_resumption_lets_them_go(
    tws: TwsHand, service: Stack
) -> None:
    tws.do("set", fill_seconds=0.05)
    worked = order(service)
    held = OrderEvent.objects.filter(order=worked, data__reason__startswith="SYMBOL_HALTED")
    wait_for(lambda: len(tws.log(PLACE)) > 1, PATIENCE, "the first slices to be sent")

    tws.do("halt", symbol="AAPL", state=HALTED)
    halts = MarketHalt.objects.filter(symbol="AAPL", source="ibkr")
    wait_for(halts.exists, PATIENCE, "the halt to be known")
    known = monotonic()
    wait_for(lambda: monotonic() - known > 2 * HOLD_SECONDS, PATIENCE, "all to know it")
    sent, deferred = len(tws.log(PLACE)), held.count()
    wait_for(lambda: held.count() > deferred + 1, PATIENCE, "slices to be held back")
    assert len(tws.log(PLACE)) == sent

    tws.do("halt", symbol="AAPL", state=TRADING)
    wait_for(lambda: len(tws.log(PLACE)) > sent, PATIENCE, "the slices to go on")
    assert halts.get().end_at is not None
    assert service.manage("cancel", str(worked.pk)).returncode == 0
