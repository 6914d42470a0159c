"""What each child was sent with follows from its event in the audit trail."""

from decimal import Decimal

import pytest

from execution.domain.child_sizing import next_child
from execution.domain.limit_prices import marketable_limit
from tests.integration.halted_market import trial

pytestmark = [pytest.mark.django_db, pytest.mark.any_date]


@pytest.mark.parametrize("side", ["BUY", "SELL"])
def test_size_and_price_of_each_child_can_be_computed_from_its_event(side: str) -> None:
    given = trial(lambda size, minute: size if minute % 4 else size // 3, side=side)
    order, config = given.run(), given.context.config
    sent = [event.data for event in order.events.filter(kind="SLICE_SENDING").order_by("pk")]
    assert len(sent) == order.slice_count
    reasons = set()
    for told in sent:
        quantity, why = next_child(
            quantity=order.quantity,
            filled=told["filled"],
            working=told["working"],
            planned=told["planned"],
            cumulative=told["target"],
            slices_left=order.slice_count - told["slice"],
        )
        assert (quantity, why) == (told["quantity"], told["size"])
        bid, ask = Decimal(told["quote"]["bid"]), Decimal(told["quote"]["ask"])
        limit = marketable_limit(
            side_sign=order.side_sign,
            far_touch=ask if side == "BUY" else bid,
            tolerance_bps=config.execution.routing.child_tolerance_bps,
            reference=(bid + ask) / 2,
            collar=config.limits.price_collar,
            parent_limit=order.limit_price,
        )
        assert limit == Decimal(told["limit_price"])
        reasons.add(why)
    assert len(reasons) > 1, "children of more than one kind"
