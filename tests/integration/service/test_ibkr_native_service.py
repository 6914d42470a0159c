"""The whole service in front of the TWS peer: an order that TWS works by its own algorithm."""

from typing import Any

import pytest

from execution.domain.lifecycle import OrderStatus, SliceStatus
from execution.models import Order, Slice
from tests.brokers.peers.tws_algos import PIECES
from tests.brokers.peers.tws_hand import TwsHand
from tests.integration.service.ibkr_service import PATIENCE, gateway, service, tws
from tests.stack import Stack, wait_for

__all__ = ["service", "tws"]

WINDOW = ["--window-minutes", "60"]
VWAP = ["--native", "Vwap", "--native-parameters", "maxPctVol=0.2"]

pytestmark = [pytest.mark.timeout(240), pytest.mark.any_date]


def order(stack: Stack, *words: str) -> Order:
    done = stack.manage("order", "BUY", "600", "AAPL", *words, "--no-wait")
    assert done.returncode == 0, done.stdout + done.stderr
    return Order.objects.latest("pk")


def at_tws(tws: TwsHand, part: Slice) -> dict[str, Any]:
    shown: dict[str, Any] = tws.do("order", ref=part.client_order_id)
    return shown


def working(order: Order) -> Slice:
    """The order's one child, once TWS works it and we know."""
    part = order.slices.get()

    def works() -> bool:
        part.refresh_from_db()
        return part.status == SliceStatus.WORKING

    wait_for(works, PATIENCE, f"the child to work, not {part.status} {part.reason!r}")
    return part


def ends(order: Order, status: OrderStatus, filled: int) -> None:
    def ended() -> bool:
        order.refresh_from_db()
        return order.is_terminal

    wait_for(ended, PATIENCE, f"the order to end, not {order.status}")
    assert (order.status, order.filled_quantity) == (status, filled)
    assert sum(fill.quantity for fill in order.fills.all()) == filled


def test_an_order_is_told_once_filled_in_pieces_and_survives_its_gateway(
    tws: TwsHand, service: Stack
) -> None:
    tws.do("set", fill_seconds=0.1)
    first = order(service, *VWAP, *WINDOW)
    ends(first, OrderStatus.FILLED, 600)
    part = first.slices.get()
    assert tws.do("accepted", ref=part.client_order_id) == 1
    assert at_tws(tws, part)["algo"] == "Vwap"
    assert at_tws(tws, part)["algo_params"] == {
        "maxPctVol": "0.2",
        "noTakeLiq": "0",
        "allowPastEndTime": "0",
        "startTime": f"{first.start_at:%Y%m%d-%H:%M:%S}",
        "endTime": first.routing["native"]["parameters"]["endTime"],
    }
    assert first.fills.count() == PIECES

    # Killed before it has heard of the next one, which TWS has taken.
    tws.do("set", fill_seconds=-1)
    tws.do("once", silent=True)
    second = order(service, "--native", "Adaptive", *WINDOW)
    part = second.slices.get()
    wait_for(lambda: tws.do("accepted", ref=part.client_order_id), PATIENCE, "it to arrive")
    service.members[-1].kill()
    tws.do("fill", ref=part.client_order_id, quantity=200, price="150")
    gateway(service)
    working(second)
    tws.do("fill", ref=part.client_order_id, quantity=400, price="150")
    ends(second, OrderStatus.FILLED, 600)
    assert tws.do("accepted", ref=part.client_order_id) == 1


def test_an_order_is_cancelled_on_demand_and_at_its_end(tws: TwsHand, service: Stack) -> None:
    tws.do("set", fill_seconds=-1)
    asked = order(service, "--native", "Twap", *WINDOW)
    assert (asked.submitted_by, asked.submitted_via) == ("ann", "CLI"), "whose token it is"
    part = working(asked)
    tws.do("fill", ref=part.client_order_id, quantity=150, price="150")
    refused = service.manage("amend", str(asked.pk), "--quantity", "900")
    assert refused.returncode == 1
    assert "worked by the broker's own Twap" in refused.stderr
    assert service.manage("cancel", str(asked.pk)).returncode == 0
    ends(asked, OrderStatus.CANCELLED, 150)
    assert at_tws(tws, part)["status"] == "Cancelled"

    over = order(service, "--native", "Adaptive", "--window-minutes", "0.25")
    part = working(over)
    tws.do("fill", ref=part.client_order_id, quantity=100, price="150")
    ends(over, OrderStatus.EXPIRED, 100)
    assert at_tws(tws, part)["status"] == "Cancelled"
    assert tws.do("accepted", ref=part.client_order_id) == 1
