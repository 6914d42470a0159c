"""The gateway has fills booked by itself: here no worker runs that could look at the news."""

from collections.abc import Iterator

import pytest
from pytest_django import DjangoDbBlocker

from execution.domain.lifecycle import OrderStatus, SliceStatus
from execution.models import Fill
from tests.brokers.children import becomes, working
from tests.brokers.ibkr_rig import IbkrRig, running_context
from tests.brokers.rig import PATIENCE, PRICE
from tests.brokers.simulator import LIVE
from tests.stack import wait_for


@pytest.fixture
def live(
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[IbkrRig]:
    folder = tmp_path_factory.mktemp("ibkr")
    with django_db_blocker.unblock(), running_context(folder) as context:
        context.start(**LIVE, TRADING_MODE="live", LIVE_BROKER="ibkr")
        yield IbkrRig(context)


def test_executions_commissions_and_the_end_are_booked_as_they_are_heard(live: IbkrRig) -> None:
    live.tws.do("set", commission_seconds=1.0)
    part = working(live)
    live.fill(part.client_order_id, 30, PRICE)
    becomes(part, SliceStatus.WORKING, 30)
    live.fill(part.client_order_id, 70, PRICE - 1)
    becomes(part, SliceStatus.FILLED, 100)
    live.repeat_executions(part.client_order_id)
    fills = Fill.objects.filter(slice=part).order_by("pk")
    paid = fills.filter(commission__isnull=False)
    wait_for(lambda: paid.count() == 2, PATIENCE, "the commissions")
    other = working(live)
    live.end(other.client_order_id, SliceStatus.CANCELLED)
    becomes(other, SliceStatus.CANCELLED, 0)
    assert [(fill.quantity, fill.price) for fill in fills] == [(30, PRICE), (70, PRICE - 1)]
    part.order.refresh_from_db()
    assert (part.order.status, part.order.filled_quantity) == (OrderStatus.EXPIRED, 100)
