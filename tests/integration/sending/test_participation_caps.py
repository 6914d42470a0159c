"""How much of its market an order takes, alone and beside others that trade the same name."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connections

from execution.context import Context
from execution.models import Bar, Order, Slice
from tests.integration.sending.replayed_days import (
    MINUTE,
    OPEN,
    TODAY,
    TWAP,
    NoTape,
    claim,
    context_at,
    fill,
    learn,
    order_of,
    store,
    usual,
    work,
)
from tests.stack import empty_redis

pytestmark = [pytest.mark.django_db, pytest.mark.any_date]


def market_volume(order: Order, now: datetime) -> int:
    bars = Bar.objects.filter(start_at__gte=order.start_at, start_at__lte=now - MINUTE)
    return sum(bars.values_list("volume", flat=True))


@pytest.mark.parametrize("wish", [{"algorithm": "TWAP"}, {"algorithm": "VWAP"}])
def test_a_thin_name_is_worked_under_its_cap_to_the_last_slice(wish: dict[str, Any]) -> None:
    """50 shares a minute, 5 %: 2.5 a minute, so that 1,000 in an hour cannot be done."""
    learn(TODAY)
    store(TODAY, [50] * 390)
    context = context_at(OPEN, max_participation=Decimal("0.05"))
    order = order_of(context, quantity=1_000, **TWAP | wish)
    end = order.start_at + timedelta(hours=1)
    now = OPEN
    while now < end:
        at = replace(context, now=lambda now=now: now)
        for part in order.slices.filter(due_at__lte=now, status__in=("PLANNED", "QUEUED")):
            intent = claim(part, at, now)
            if intent is not None:
                fill(intent, at)
                order.refresh_from_db()
                assert order.filled_quantity <= 0.05 * market_volume(order, now) + 1
        now += timedelta(seconds=10)
    assert 0.05 * market_volume(order, end) - 30 <= order.filled_quantity < 1_000
    last = order.slices.get(sequence=11)
    assert last.explanation["participation"]["cap"] == 0.05


def first_of(order: Order) -> Slice:
    return order.slices.get(sequence=0)


def at_minute(minute: int, **more: Any) -> tuple[Context, datetime]:
    now = OPEN + MINUTE * minute
    return context_at(now, **more), now


def parent(context: Context, quantity: int = 1_200, **terms: Any) -> Order:
    """Worked from ten o'clock on; its first slice is of a hundred shares."""
    return order_of(replace(context, now=lambda: OPEN), quantity, **TWAP | terms)


CAP = {"max_participation": Decimal("0.1")}


def only_due(part: Slice, now: datetime) -> Slice:
    """Due now, for another minute: what is claimed does not depend on the window that passed."""
    part.due_at, part.end_at = now, now + MINUTE * 3
    part.save()
    return part


@pytest.mark.parametrize(
    ("traded", "terms", "sent"),
    [
        pytest.param(2_000, {}, 100, id="more than enough"),
        pytest.param(600, {}, 61, id="a part, and one lot"),
        pytest.param(300, {}, None, id="less than half: it waits"),
        pytest.param(300, {"max_participation": 0.01}, None, id="its own cap is stricter"),
        pytest.param(600, {"max_participation": 0.5}, 61, id="its own cap is wider"),
    ],
)
def test_a_child_is_cut_or_waits(traded: int, terms: dict[str, Any], sent: int | None) -> None:
    store(TODAY, [traded])
    context, now = at_minute(1, **CAP)
    part = only_due(first_of(parent(context, **terms)), now)
    intent = claim(part, context, now)

    assert (intent and intent.ticket.quantity) == sent
    part.refresh_from_db()
    assert part.explanation["participation"]["market_volume"] == traded
    if sent is None:
        assert part.status == "PLANNED"
        assert part.reason.startswith("PARTICIPATION_CAP: cap=")
        assert now + MINUTE <= part.due_at < part.end_at


def test_near_its_end_a_slice_takes_what_there_is() -> None:
    store(TODAY, [300])
    context, now = at_minute(1, **CAP)
    part = only_due(first_of(parent(context)), now)
    part.end_at = now + timedelta(seconds=50)
    part.save()
    intent = claim(part, context, now)
    assert intent is not None
    assert intent.ticket.quantity == 31


@pytest.mark.parametrize(
    ("other", "sent"),
    [
        pytest.param({"side": "BUY"}, 52, id="the same side shares"),
        pytest.param({"side": "BUY", "account": "other"}, 52, id="in another account too"),
        pytest.param({"symbol": "TYL"}, 100, id="another symbol does not"),
    ],
)
@pytest.mark.parametrize("filled", [True, False])
def test_all_parents_of_a_symbol_and_side_share_one_cap(
    other: dict[str, Any], sent: int, filled: bool
) -> None:
    assert beside(other, filled=filled) == sent


def test_the_other_side_has_a_cap_of_its_own() -> None:
    assert beside({"side": "SELL"}, filled=True) == 100


def beside(other: dict[str, Any], *, filled: bool) -> int:
    """What a child may take after another parent's child of 50, of a budget of 102."""
    store(TODAY, [1_010])
    store(TODAY, [1_010], "TYL")
    context, now = at_minute(1, **CAP)
    first = claim(only_due(first_of(parent(context, 600, **other)), now), context, now)
    assert first is not None
    assert first.ticket.quantity == 50
    if filled:
        fill(first, context)
    second = claim(only_due(first_of(parent(context)), now), context, now)
    assert second is not None
    return second.ticket.quantity


@pytest.mark.parametrize(
    ("terms", "sent"),
    [
        pytest.param({}, 1_200, id="an urgent order is not held up by the configured cap"),
        pytest.param({"max_participation": 0.1}, None, id="but by its own"),
    ],
)
def test_the_cap_of_a_market_order(terms: dict[str, Any], sent: int | None) -> None:
    store(TODAY, [600])
    context, now = at_minute(1, **CAP)
    order = parent(context, algorithm="MARKET", slices=None, **terms)
    intent = claim(only_due(first_of(order), now), context, now)
    assert (intent and intent.ticket.quantity) == sent


def test_pov_takes_its_part_of_what_has_traded() -> None:
    learn(TODAY)
    store(TODAY, [1_000] * 60)
    context = context_at(OPEN)
    order = order_of(
        context, 10_000, algorithm="POV", window_minutes=60, slices=60, max_participation=0.2
    )
    sent = []
    for part in order.slices.order_by("sequence")[:5]:
        now = part.due_at
        intent = claim(part, replace(context, now=lambda due=now: due), now)
        assert intent is not None
        fill(intent, replace(context, now=lambda due=now: due))
        sent.append((round((now - OPEN) / MINUTE), intent.ticket.quantity))
    done = [sum(size for _, size in sent[: k + 1]) for k in range(len(sent))]
    assert done == [minute * 200 + 1 for minute, _ in sent]


@pytest.mark.parametrize(
    ("terms", "shares"),
    [
        pytest.param({"max_participation": 0.1}, 0, id="held to a tenth of what has traded"),
        pytest.param({"participation": 0.1}, 59, id="most of a tenth of what will trade"),
        pytest.param(
            {"participation": 0.1, "max_participation": 0.105}, 35, id="as far as its own cap"
        ),
    ],
)
def test_pov_counts_on_the_last_minute_before_the_close(terms: dict[str, Any], shares: int) -> None:
    """Its volume, 790 shares by the profile of so usual a day, is known when all is over."""
    learn(TODAY)
    store(TODAY, usual())
    context = context_at(OPEN + MINUTE * 380)
    order = order_of(context, 10_000, algorithm="POV", window_minutes=10, slices=10, **terms)
    traded = sum(usual()[380:389])
    assert sum(work(order, context).values()) == traded // 10 + 1 + shares


def test_a_capped_order_waits_while_the_tape_is_silent() -> None:
    store(TODAY, [10_000] * 5)
    now = OPEN + MINUTE * 5
    context = context_at(now, NoTape, **CAP)
    part = only_due(first_of(parent(context)), now)
    assert claim(part, context, now) is None
    part.refresh_from_db()
    assert (part.status, part.reason) == ("PLANNED", "VOLUME_UNKNOWN: symbol=GWW")


@pytest.mark.django_db(transaction=True)
def test_parents_that_claim_at_one_moment_do_not_share_the_same_budget_twice() -> None:
    empty_redis()
    store(TODAY, [1_500])
    context, now = at_minute(1, **CAP)
    parts = [only_due(first_of(parent(context, client_reference=f"{k}")), now) for k in range(6)]

    def attempt(part: Slice) -> int:
        try:
            intent = claim(part, context, now)
            return intent.ticket.quantity if intent else 0
        finally:
            connections.close_all()

    with ThreadPoolExecutor(6) as workers:
        sent = list(workers.map(attempt, parts))
    assert sorted(sent) == [0, 0, 0, 0, 51, 100]
