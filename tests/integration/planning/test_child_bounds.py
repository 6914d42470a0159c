"""How size and price of a child follow what the signal asks for, at every way in."""

import asyncio
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command

from execution import context as contexts
from execution import heartbeat
from execution.broker.order_manager import OrderManager
from execution.domain.signal import InvalidSignal
from execution.entry import drafting
from execution.entry.preview import preview
from execution.models import Heartbeat, Order
from execution.router import ExecutionRouter
from tests.integration.api.test_api import client_of
from tests.integration.planning.test_residuals import ELEVEN, FLAT, TEN, ended, trial
from tests.integration.thin_market import MINUTE, TODAY, at_minute, context_at, none_of, trade
from tests.stack import empty_redis

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("limit", "posted", "crossed"),
    [
        (None, "899.91", "900.99"),
        (899.5, "899.5", "899.50"),  # more patient than the book: it stays so
        (900.5, "899.91", "900.50"),
    ],
)
def test_a_limit_order_is_patient_first_then_crosses(
    limit: float | None, posted: str, crossed: str
) -> None:
    trade(FLAT)
    given = trial(
        lambda size, minute: size // 4 if minute < TEN + 45 else size,
        algorithm="LIMIT",
        aggressive_after=0.75,
        limit_price=limit,
    )
    status, filled, _ = ended(given.run())
    assert (status, filled) == ("FILLED", 1_000)
    assert given.sent == [(TEN, 1_000), (TEN + 45, 750)]
    first, second = given.order.slices.order_by("sequence")
    assert (first.limit_price, second.limit_price) == (Decimal(posted), Decimal(crossed))
    assert second.explanation["residual"] == "CROSS"
    assert given.order.limit_price == (None if limit is None else Decimal(str(limit)))


def test_a_sell_posts_at_the_ask() -> None:
    trade(FLAT)
    given = trial(none_of, algorithm="LIMIT", aggressive_after=0.5, side="SELL", limit_price=890)
    status, _, at = ended(given.run())
    limits = [part.limit_price for part in given.order.slices.order_by("sequence")]
    assert limits == [Decimal("900.09"), Decimal("899.02")]
    assert (status, at - given.order.end_at < MINUTE) == ("EXPIRED", True)


@pytest.mark.parametrize(
    ("side", "would", "price", "rest"),
    [
        ("BUY", 898, 897.5, 700),  # ask 897.59
        ("BUY", 898, 898, 100),  # ask 898.09 is worse
        ("BUY", 898.09, 898, 700),  # at it
        ("SELL", 902, 903, 700),
        ("SELL", 902, 902, 100),
        ("SELL", 901.9, 902, 700),
    ],
)
def test_at_the_would_price_all_that_is_left_is_taken(
    side: str, would: float, price: float, rest: int
) -> None:
    trade([900.0] * 47 + [price] * 343)
    given = trial(side=side, would_price=would)
    given.run(until=at_minute(TEN + 18, TODAY) + timedelta(seconds=1))
    assert [size for _, size in given.sent] == [100, 100, 100, rest]
    told = given.order.slices.get(sequence=3).explanation
    assert told["would"]["good"] is (rest == 700)
    assert (told["size"] == "PRICE_IS_GOOD") is (rest == 700)
    limit = given.order.slices.get(sequence=3).limit_price
    assert limit is not None
    if rest == 700:
        sign = given.order.side_sign
        assert sign * (limit - Decimal(str(would))) <= 0  # never worse than that
        assert given.order.status == "FILLED"


def test_the_would_price_is_no_way_around_cap_and_largest_slice() -> None:
    trade(FLAT)
    capped = trial(would_price=950, max_participation=0.01)
    capped.run()
    for minute, _ in capped.sent:
        done = sum(size for at, size in capped.sent if at <= minute)
        assert done <= 10 * (minute - TEN) + 1
    bounded = trial(would_price=950, max_slice=300)
    bounded.run()
    assert [size for _, size in bounded.sent] == [300, 300, 300, 100]


def test_without_a_quote_no_price_is_good() -> None:
    given = trial(would_price=950, decision_price=900)
    given.step(at_minute(TEN))
    assert given.sent == []
    told = given.order.slices.get(sequence=0).explanation["would"]
    assert told == {"price": "950.000000", "far_touch": None, "good": False}


@pytest.mark.parametrize("algorithm", ["TWAP", "VWAP", "POV", "IS"])
def test_children_are_whole_lots_within_their_bounds(algorithm: str) -> None:
    trade(FLAT)
    given = trial(
        lambda size, minute: size if minute > TEN + 30 else size // 3 // 100 * 100,
        algorithm=algorithm,
        quantity=5_050,
        lot_size=100,
        min_slice=200,
        max_slice=900,
        max_participation=0.5,
    )
    given.run()
    sizes = [size for _, size in given.sent]
    assert sum(size % 100 > 0 for size in sizes) <= 1
    assert max(sizes) <= 900
    assert all(size >= 200 for size in sizes[:-1])
    planned = given.order.slices.values_list("planned_quantity", flat=True)
    assert sum(planned) >= 5_050


def test_a_largest_slice_needs_as_many_slices() -> None:
    trade(FLAT)
    assert trial(max_slice=40).order.slice_count == 25
    forced = trial(none_of, residual="FORCE", max_slice=300)
    forced.run()
    sizes = [size for minute, size in forced.sent if minute >= ELEVEN - 6]
    assert max(sizes) <= 300
    assert sum(sizes) >= 1_000


@pytest.mark.parametrize(
    ("terms", "field"),
    [
        ({"max_slice": 50, "slices": 10}, "slices"),
        ({"min_slice": 600, "max_slice": 800}, "max_slice"),
        ({"max_slice": 1, "quantity": 30_000}, "max_slice"),
    ],
)
def test_bounds_that_no_plan_fits_are_refused(terms: dict[str, Any], field: str) -> None:
    trade(FLAT)
    with pytest.raises(InvalidSignal) as refused:
        trial(**terms)
    assert list(refused.value.errors) == [field]
    assert not Order.objects.exists()


def test_what_an_algorithm_does_not_know_is_left_out_and_told() -> None:
    trade(FLAT)
    given = trial(algorithm=None, urgency="HIGH", residual="FORCE", max_slice=10)
    assert (given.order.algorithm, given.order.parameters) == ("MARKET", {})
    assert given.order.routing["left_out"] == ["max_slice", "residual"]


CONTROLS: dict[str, Any] = {
    "residual": "FORCE",
    "residual_minutes": 5,
    "residual_ignores_cap": True,
    "would_price": "140.5",
    "lot_size": 10,
    "min_slice": 20,
    "max_slice": 500,
}


KEPT = CONTROLS | {"residual_minutes": 5.0, "would_price": "140.500000"}


def test_a_preview_tells_when_the_rest_would_be_forced() -> None:
    trade(FLAT)
    context = context_at(at_minute(TEN))
    wish = {"symbol": "GWW", "side": "BUY", "quantity": 100, "algorithm": "TWAP"}
    seen = preview(wish | {"residual": "FORCE", "window_minutes": 60}, context)
    assert seen["residual"] == {
        "policy": "FORCE",
        "then": "LEAVE",
        "from": at_minute(ELEVEN - 6).isoformat(),
        "until": at_minute(ELEVEN).isoformat(),
        "turns": 3,
    }
    assert preview(wish, context)["residual"] == {}


@pytest.mark.django_db(transaction=True)
def test_every_door_takes_the_controls() -> None:
    empty_redis()
    heartbeat.beat(Heartbeat.Kind.WORKER)
    body = {"symbol": "AAPL", "side": "BUY", "quantity": 1_000, "algorithm": "TWAP"}
    answer = client_of("Trader").post("/api/v1/orders/", body | CONTROLS, format="json")
    assert (answer.status_code, answer.json()["parameters"]) == (201, KEPT)

    router = ExecutionRouter(OrderManager(config=contexts.default().config))
    wanted = {"algorithm": "TWAP", "wait": False, **CONTROLS}
    asyncio.run(router.route_order("AAPL", 1_000, "BUY", **wanted))
    words = [f"--{name.replace('_', '-')}={value}" for name, value in CONTROLS.items()]
    words[words.index("--residual-ignores-cap=True")] = "--residual-ignores-cap=true"
    options = ["--algorithm=TWAP", *words]
    call_command("order", "BUY", "1000", "AAPL", "--no-wait", *options, stdout=StringIO())
    assert [order.parameters for order in Order.objects.all()] == [KEPT] * 3

    said = StringIO()
    call_command("preview", "BUY", "1000", "AAPL", *options, stdout=said)
    assert "what its slices leave: FORCE, from " in said.getvalue()
    assert (
        drafting.draft(body | {"residual": "LEAVE"}, contexts.default()).order.routing.get(
            "residual"
        )
        is None
    )
