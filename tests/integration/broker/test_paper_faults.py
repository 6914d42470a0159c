"""Each misbehaviour of the paper broker alone, and what it must keep."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from time import monotonic
from typing import Any

import pytest

from deepstack.config import Config, Paper
from deepstack.config_market import Market, Simulated
from deepstack.config_paper import PaperFaults, PaperImpact
from execution.broker.base import (
    BrokerOrder,
    BrokerRejected,
    DuplicateOrder,
    OutcomeUnknown,
    Ticket,
)
from execution.broker.paper.matching_rules import Resting, match
from execution.broker.paper_trader import PaperTrader
from execution.domain.lifecycle import SliceStatus
from execution.market.base import TapeBar
from execution.market.simulated import SimulatedMarket
from execution.models import PaperExecution, PaperOrder, PaperVolume
from tests.brokers.rig import executed

pytestmark = pytest.mark.any_date

NOW = datetime(2026, 11, 20, 15, tzinfo=UTC)

SECOND = timedelta(seconds=1)

MARKET = SimulatedMarket(Config(market=Market(simulated=Simulated(seed=7))))

FILLED, WORKING = SliceStatus.FILLED, SliceStatus.WORKING

CANCELLING, CANCELLED = SliceStatus.CANCELLING, SliceStatus.CANCELLED

rows = pytest.mark.django_db


def broker(**faults: Any) -> PaperTrader:
    config = Config(paper=Paper(faults=PaperFaults(**faults), impact=PaperImpact(coefficient=0)))
    return PaperTrader(config=config, market=MARKET)


def ticket(
    name: str = "c1", *, side: str = "BUY", quantity: int = 200, through: str = "0.50"
) -> Ticket:
    """A limit order, `through` dollars beyond the far touch (below zero: passive)."""
    quote = MARKET.quote("AAPL", NOW)
    assert quote is not None
    touch, sign = (quote.ask, 1) if side == "BUY" else (quote.bid, -1)
    return Ticket(name, "default", "AAPL", side, quantity, touch + sign * Decimal(through))


def found(paper: PaperTrader, seconds: float, name: str = "c1") -> BrokerOrder:
    seen = paper.find(name, now=NOW + seconds * SECOND)
    assert seen is not None
    return seen


@rows
def test_an_answer_takes_its_time() -> None:
    paper = broker(latency_ms=80)
    calls: list[Callable[[], object]] = [
        lambda: paper.place(ticket(), now=NOW),
        lambda: paper.find("c1", now=NOW),
        lambda: paper.cancel("c1", now=NOW),
    ]
    for call in calls:
        started = monotonic()
        call()
        assert 0.08 <= monotonic() - started < 2


@rows
def test_a_permanent_refusal_stays_one() -> None:
    paper = broker(permanent_rejects=1)
    for seconds in range(5):
        with pytest.raises(BrokerRejected) as refused:
            paper.place(ticket(), now=NOW + seconds * SECOND)
        assert (refused.value.code, refused.value.transient) == ("REFUSED_BY_FAULT_PROFILE", False)
    assert paper.find("c1", now=NOW) is None


@rows
@pytest.mark.parametrize(
    ("faults", "error"),
    [({"transient_rejects": 0.7}, BrokerRejected), ({"lost_requests": 0.7}, OutcomeUnknown)],
    ids=["refused for now", "request lost"],
)
def test_what_passes_passes(faults: dict[str, float], error: type[Exception]) -> None:
    paper = broker(**faults)
    failed = 0
    for name in ("c1", "c2", "c3"):
        now = NOW
        while paper.find(name, now=NOW) is None:
            try:
                paper.place(ticket(name), now=now)
            except error as raised:
                failed += getattr(raised, "transient", True)
            now += SECOND
            assert now < NOW + 60 * SECOND
    assert failed
    assert PaperOrder.objects.count() == 3


@rows
def test_a_known_id_is_never_refused() -> None:
    broker().place(ticket(), now=NOW)
    for faults in ({"permanent_rejects": 1}, {"transient_rejects": 1}, {"lost_answers": 1}):
        with pytest.raises(DuplicateOrder):
            broker(**faults).place(ticket(), now=NOW)
    assert PaperOrder.objects.count() == 1


@rows
def test_an_answer_is_lost_and_the_order_stands() -> None:
    paper = broker(lost_answers=1)
    with pytest.raises(OutcomeUnknown):
        paper.place(ticket(), now=NOW)
    assert (found(paper, 0).status, executed(found(paper, 0))) == (FILLED, 200)
    with pytest.raises(DuplicateOrder):
        paper.place(ticket(), now=NOW)


@rows
def test_a_late_execution_is_counted_at_once_and_told_later() -> None:
    paper = broker(late_executions=1, late_seconds=60)
    placed = paper.place(ticket(), now=NOW)
    assert (placed.status, placed.filled_quantity, placed.executions) == (FILLED, 200, ())

    reported_at = PaperExecution.objects.get().reported_at
    assert reported_at is not None
    assert NOW < reported_at < NOW + 60 * SECOND
    [before] = paper.reports("default", NOW, now=reported_at - SECOND / 10)
    [after] = paper.reports("default", reported_at - SECOND, now=reported_at)
    assert (before.filled_quantity, before.executions) == (200, ())
    assert (after.filled_quantity, executed(after)) == (200, 200)
    assert after.executions[0].executed_at == NOW
    assert paper.reports("default", reported_at + SECOND, now=reported_at + 2 * SECOND) == []


@rows
def test_news_of_a_late_execution_outlive_the_cancel() -> None:
    paper = broker(late_executions=1, late_seconds=60)
    paper.place(ticket(quantity=20_000), now=NOW)
    last = max(row.reported_at for row in PaperExecution.objects.all() if row.reported_at)
    paper.cancel("c1", now=NOW + SECOND)

    [seen] = paper.reports("default", last, now=last)
    assert seen.status == CANCELLED
    assert 0 < executed(seen) <= seen.filled_quantity


@rows
def test_a_repeated_execution_keeps_its_id() -> None:
    paper = broker(repeated_executions=1)
    placed = paper.place(ticket(), now=NOW)
    first, second = placed.executions
    assert first == second
    assert (placed.filled_quantity, executed(placed)) == (200, 200)
    assert found(paper, 0).executions == placed.executions
    assert PaperExecution.objects.count() == 1


@rows
@pytest.mark.parametrize("side", ["BUY", "SELL"])
def test_a_partial_arrival_gets_less_at_no_better_price(side: str) -> None:
    calm, partial = broker(), broker(partial_fills=1)
    for n in range(10):
        order = ticket(f"whole{n}", side=side, quantity=1500)
        whole = calm.place(order, now=NOW)
        PaperVolume.objects.all().delete()  # so that each order finds all of the minute's volume
        part = partial.place(replace(order, client_order_id=f"part{n}"), now=NOW)
        PaperVolume.objects.all().delete()
        assert part.status == WORKING
        assert 0 <= part.filled_quantity < whole.filled_quantity
        prices = [execution.price for execution in whole.executions]
        assert [execution.price for execution in part.executions] == prices[: len(part.executions)]
    rest = found(partial, 600, "part0")
    assert (rest.status, rest.filled_quantity) == (FILLED, 1500)


@rows
def test_a_cancel_is_confirmed_later_and_may_fill_until_then() -> None:
    paper = broker(cancel_seconds=600)
    placed = paper.place(ticket(quantity=200_000), now=NOW)
    paper.cancel("c1", now=NOW + SECOND)
    ends = PaperOrder.objects.get().expires_at
    assert ends is not None
    assert NOW + SECOND < ends < NOW + 601 * SECOND
    paper.cancel("c1", now=NOW + 2 * SECOND)
    assert PaperOrder.objects.get().expires_at == ends, "the first cancel counts"

    before = paper.find("c1", now=ends - SECOND / 10)
    [after] = paper.reports("default", ends, now=ends)
    later = paper.find("c1", now=ends + 600 * SECOND)
    assert before is not None
    assert (before.status, after.status) == (CANCELLING, CANCELLED)
    assert placed.filled_quantity < before.filled_quantity <= after.filled_quantity < 200_000
    assert later == after


@rows
def test_an_order_that_fills_before_its_cancel_is_filled() -> None:
    paper = broker(cancel_seconds=600)
    paper.place(ticket(quantity=2500), now=NOW)
    paper.cancel("c1", now=NOW + SECOND)
    ends = PaperOrder.objects.get().expires_at
    assert ends is not None
    seen = paper.find("c1", now=ends + SECOND)
    assert seen is not None
    assert (seen.status, seen.filled_quantity) == (FILLED, 2500)


@rows
def test_an_order_at_the_touch_waits_for_the_queue_ahead() -> None:
    improving = ticket("improving", through="0", quantity=100)
    quote = MARKET.quote("AAPL", NOW)
    assert quote is not None
    at_touch = replace(improving, client_order_id="at touch", limit_price=quote.bid)
    for paper, order in (
        (broker(), replace(at_touch, client_order_id="calm")),
        (broker(queue=1), at_touch),
        (broker(queue=1), improving),
    ):
        paper.place(order, now=NOW)
    ahead = dict(PaperOrder.objects.values_list("client_order_id", "queue_ahead"))
    assert ahead["calm"] == ahead["improving"] == 0
    assert 0 < ahead["at touch"] <= quote.bid_size


def hundred_a_second(seconds: int) -> list[TapeBar]:
    """Bars of 1,000 shares, of which the paper exchange gives a tenth."""
    price = Decimal(100)
    return [
        TapeBar("AAPL", NOW + n * SECOND, SECOND, price, price, price, price, 1000, price)
        for n in range(seconds)
    ]


@pytest.mark.parametrize("turns", [1, 2, 6], ids="read in {} turns".format)
@pytest.mark.parametrize(
    ("ahead", "filled"),
    [
        ([0], [[100, 100, 50]]),
        ([100], [[0, 100, 100, 50]]),
        ([230], [[0, 0, 70, 100, 80]]),
        ([230, 230], [[0, 0, 70, 100, 80], [0, 0, 0, 0, 20, 100]]),  # they wait at the same time
        ([10_000], [[0]]),
    ],
    ids=str,
)
def test_what_is_ahead_trades_first(ahead: list[int], filled: list[list[int]], turns: int) -> None:
    orders = [Resting("BUY", Decimal(100), 250, NOW, ahead=shares) for shares in ahead]
    bars = hundred_a_second(6)
    for turn in range(turns):
        part = bars[turn * 6 // turns : (turn + 1) * 6 // turns]
        match(orders, part, participation=Decimal("0.1"), displayed=500)
    for order, expected in zip(orders, filled, strict=True):
        got = {(fill.at - NOW) // SECOND: fill.quantity for fill in order.fills}
        assert got == {second: shares for second, shares in enumerate(expected) if shares}


@rows
def test_the_queue_is_remembered_between_turns() -> None:
    paper = broker()
    placed = paper.place(ticket(quantity=20_000), now=NOW)
    PaperOrder.objects.update(queue_ahead=500)

    assert found(paper, 10).filled_quantity == placed.filled_quantity
    left = PaperOrder.objects.get().queue_ahead
    assert 0 < left < 500
    assert found(paper, 10).filled_quantity == placed.filled_quantity
    assert PaperOrder.objects.get().queue_ahead == left, "the same bars count once"
    assert found(paper, 60).filled_quantity > placed.filled_quantity
    assert PaperOrder.objects.get().queue_ahead == 0


@rows
def test_harsh_never_fills_beyond_the_tape() -> None:
    paper = broker(profile="harsh", latency_ms=0, lost_answers=0, lost_requests=0)
    limits = {}
    for n in range(30):
        order = ticket(f"c{n}", quantity=2000, through=f"{(n - 10) / 50:.2f}")
        limits[order.client_order_id] = order.limit_price
        try:
            paper.place(order, now=NOW + n * SECOND)
        except BrokerRejected:
            continue
        if n % 3 == 0:
            paper.cancel(order.client_order_id, now=NOW + (n + 4) * SECOND)
    at_once = sum(PaperOrder.objects.values_list("filled_quantity", flat=True))
    end = NOW + 300 * SECOND
    paper.reports("default", NOW, now=end)

    worked = sum(PaperOrder.objects.values_list("filled_quantity", flat=True)) - at_once
    assert worked <= sum(bar.volume for bar in MARKET.bars("AAPL", NOW, end)) / 10
    for row in PaperExecution.objects.select_related("order"):
        minute = MARKET.printing("AAPL", row.executed_at)
        assert minute is not None
        assert minute.low <= row.price <= min(minute.high, limits[row.order.client_order_id])
    for stored in PaperOrder.objects.prefetch_related("executions"):
        booked = sum(row.quantity for row in stored.executions.all())
        assert booked == stored.filled_quantity <= stored.quantity
