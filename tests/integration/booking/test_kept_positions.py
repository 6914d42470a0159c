"""Positions and the day's trades follow the fills, whatever books, corrects or removes them."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal as D
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from execution import context as contexts
from execution.booking import position_check
from execution.domain.exchange_time import exchange_midnight
from execution.entry import acceptance
from execution.models import DayTrade, Fill, Order, Position
from execution.risk import exposure, positions
from execution.risk.checked_order import CheckedOrder
from execution.risk.marks import NO_MARKS

pytestmark = pytest.mark.django_db

LATE_EVENING = datetime(2026, 7, 1, 3, 30, tzinfo=UTC)  # 23:30 ET of the day before
SIGNAL = {"side": "BUY", "quantity": 1_000, "algorithm": "TWAP", "slices": 1}


def order(symbol: str = "AAPL", **changes: Any) -> Order:
    return acceptance.accept(SIGNAL | {"symbol": symbol} | changes, contexts.default())


def fill(of: Order, number: int, **changes: Any) -> Fill:
    values = {
        "broker": "paper",
        "account": "default",
        "execution_id": f"{of.pk}-{number}",
        "quantity": 100,
        "price": D(150),
        "executed_at": LATE_EVENING,
    }
    part = of.slices.get()
    return Fill.objects.create(order=of, slice=part, **values | changes)


def kept() -> dict[tuple[str, str], int]:
    rows = Position.objects.values_list("broker", "symbol", "shares")
    return {(broker, symbol): shares for broker, symbol, shares in rows}


def test_each_fill_moves_the_position_of_its_broker_alone() -> None:
    bought, sold = order(), order(side="SELL")
    fill(bought, 1)
    fill(bought, 2, quantity=50, broker="alpaca")
    fill(sold, 1, quantity=30)
    assert kept() == {("paper", "AAPL"): 70, ("alpaca", "AAPL"): 50}
    assert positions.held("default", contexts.default()) == {"AAPL": 70}
    assert position_check.differences() == []


def test_the_day_is_the_exchanges() -> None:
    fill(order(), 1)
    fill(order(), 2, executed_at=LATE_EVENING + timedelta(hours=1), commission=D("0.35"))
    days = DayTrade.objects.order_by("midnight").values_list("midnight", "shares", "money", "fees")
    assert list(days) == [
        (exchange_midnight(LATE_EVENING), 100, D(15_000), D(0)),
        (exchange_midnight(LATE_EVENING + timedelta(hours=1)), 100, D(15_000), D("0.35")),
    ]


def test_a_correction_a_late_commission_and_a_removal_follow() -> None:
    one, two = fill(order(), 1), fill(order("MSFT"), 1)
    Fill.objects.filter(pk=one.pk).update(quantity=80, price=D(151), commission=D(1))
    Fill.objects.filter(pk=two.pk).update(quantity=0)  # the broker takes it back
    assert kept() == {("paper", "AAPL"): 80, ("paper", "MSFT"): 0}
    day = DayTrade.objects.get(symbol="AAPL")
    assert (day.shares, day.money, day.fees) == (80, D(12_080), D(1))
    Fill.objects.all().update(executed_at=F("executed_at") + timedelta(days=1))
    assert DayTrade.objects.filter(shares__gt=0).count() == 1
    assert position_check.differences() == []
    Fill.objects.all().delete()
    assert set(kept().values()) == {0}
    assert position_check.differences() == []


@pytest.fixture
def history() -> Iterator[None]:
    """Thousands of earlier fills of the same account and symbol."""
    of = order()
    part = of.slices.get()
    old = datetime(2026, 1, 5, 15, tzinfo=UTC)
    Fill.objects.bulk_create(
        Fill(
            order=of,
            slice=part,
            broker="paper",
            account="default",
            execution_id=f"old-{number}",
            quantity=1,
            price=D(100),
            executed_at=old,
        )
        for number in range(3_000)
    )
    return iter(())


def test_the_checks_before_a_send_read_no_history(history: None) -> None:
    new = order(quantity=10)
    at = CheckedOrder(new, 10, NO_MARKS, LATE_EVENING)
    with CaptureQueriesContext(connection) as asked:
        held = positions.held("default", contexts.default(), symbol="AAPL")
        exposure.day_result(at, contexts.default())
    assert held == {"AAPL": 3_000}
    texts = [query["sql"] for query in asked]
    assert any("execution_position" in text for text in texts)
    assert any("execution_daytrade" in text for text in texts)
    assert not [text for text in texts if "execution_fill" in text or "execution_order" in text]


def test_what_differs_is_named_and_made_anew_from_the_fills() -> None:
    fill(order(), 1)
    Position.objects.update(shares=F("shares") + 7)
    DayTrade.objects.all().delete()
    named = [str(each) for each in position_check.differences()]
    assert named[0] == "position paper default AAPL: kept 107, the fills add up to 100"
    assert named[1].startswith("day's trades paper default 2026-06-30")
    errors = StringIO()
    with pytest.raises(CommandError, match="2 differ"):
        call_command("check_positions", stderr=errors)
    assert "kept 107" in errors.getvalue()
    out = StringIO()
    call_command("check_positions", "--rebuild", stdout=out, stderr=StringIO())
    assert "rebuilt; differences: 2" in out.getvalue()
    out = StringIO()
    call_command("check_positions", stdout=out)
    assert "are the sum of the fills" in out.getvalue()
