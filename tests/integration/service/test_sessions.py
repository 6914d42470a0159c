"""Half a day of real bars through the whole stack at 360 times the pace: 2024-07-03, until 13:00.

Five orders are worked at once: a plain one, one whose symbol falls silent, one whose symbol is
halted for forty minutes, one in a thin name under a cap, one that is amended on its way. They run
once; each test looks at one of them.
"""

import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db.models import Sum
from pytest_django import DjangoDbBlocker

from deepstack.config import ROOT, Routing, current
from deepstack.config_market import Market
from execution import context
from execution.context import Context
from execution.entry import acceptance, amend
from execution.market import clock
from execution.market.calendar import NEW_YORK
from execution.market.replay import ReplayMarket
from execution.models import Bar, Fill, MarketClock, MarketHalt, Order, Slice
from tests.integration.rebuild import assert_audit_trail_matches
from tests.stack import SessionStacks, Stack, wait_for

DATA = Path(os.environ.get("DEEPSTACK_DATA", ROOT.parent / "shared" / "data"))
FILE = DATA / "us_midcaps_2024_1min.csv.gz"
DAY = date(2024, 7, 3)
SPEED = 360.0
STARTING = timedelta(seconds=20)  # the processes start before the session, however slow the machine
PLAIN, SILENT, HALTED, THIN, AMENDED = "CPAY", "FDS", "TYL", "GWW", "NDSN"
ALL = [PLAIN, SILENT, HALTED, THIN, AMENDED]
CAP = 0.05
Orders = dict[str, Order]

pytestmark = [
    pytest.mark.skipif(not FILE.exists(), reason=f"{FILE} is not there"),
    pytest.mark.timeout(300),
    pytest.mark.any_date,
]


def at(text: str) -> datetime:
    return datetime.combine(DAY, time.fromisoformat(text), NEW_YORK).astimezone(UTC)


START, SILENCE, SILENCE_OVER, CLOSE = at("09:31"), at("10:50"), at("11:50"), at("13:00")
STALE = SILENCE + timedelta(
    seconds=current().market.replay.quote_grace_seconds + current().limits.max_quote_age_seconds
)
HALT, HALT_OVER = at("11:10"), at("11:50")
LEAVES = timedelta(seconds=1) * SPEED  # between the check of a quote's age and the request
NEW_END = at("12:20")


@pytest.fixture(scope="module")
def orders(session_stacks: SessionStacks, django_db_blocker: DjangoDbBlocker) -> Iterator[Orders]:
    with django_db_blocker.unblock():
        stack = session_stacks.alone()
        _load_bars()
        clock.start_clock(START - STARTING * SPEED, SPEED)
        stack.environment |= {
            "MARKET__SOURCE": "replay",
            "EXECUTION__ROUTING__CHILD_TOLERANCE_BPS": "50",
        }
        try:
            yield _worked(stack)
        finally:
            session_stacks.end()
            for model in (MarketClock, MarketHalt, Bar):
                model.objects.all().delete()
            clock.forget()


def _load_bars() -> None:
    days = [str(DAY - timedelta(days=1)), str(DAY)]
    call_command("load_bars", str(FILE), "--symbol", *ALL, "--date", *days, verbosity=0)
    Bar.objects.filter(symbol=SILENT, start_at__gte=SILENCE, start_at__lt=SILENCE_OVER).delete()
    MarketHalt.objects.create(symbol=HALTED, start_at=HALT, end_at=HALT_OVER, reason="news")


def _worked(stack: Stack) -> Orders:
    stack.team()
    wait_for(lambda: clock.now() >= START, 60, "the session to be open")
    replayed = _replayed()
    first = clock.now() + timedelta(minutes=20)  # three seconds of the machine's
    signals = [
        _signal(symbol, quantity, side, first) | more
        for symbol, quantity, side, more in (
            (PLAIN, 1_200, "BUY", {}),
            (SILENT, 600, "BUY", {"algorithm": "TWAP"}),
            (HALTED, 240, "BUY", {}),
            (THIN, 8_000, "SELL", {"max_participation": CAP}),
            (AMENDED, 500, "SELL", {}),
        )
    ]
    accepted = {order.symbol: order for order in acceptance.accept_all(signals, replayed)}
    changed = accepted[AMENDED]
    wait_for(lambda: clock.now() > at("11:00") and changed.fills.exists(), 60, "a first fill")
    amend.amend(
        changed.pk, {"quantity": 400, "end_at": NEW_END}, version=1, by="test", context=replayed
    )
    live = Order.objects.filter(finished_at__isnull=True)
    wait_for(lambda: not live.exists(), 90, "every order to end")
    return {symbol: Order.objects.get(pk=order.pk) for symbol, order in accepted.items()}


def _replayed() -> Context:
    """This process's context, in the market that the stack's processes see."""
    usual = context.default()
    config = current().model_copy(
        update={
            "market": Market(source="replay"),
            "execution": usual.config.execution.model_copy(
                update={"routing": Routing(child_tolerance_bps=50)}
            ),
        }
    )
    return replace(usual, config=config, market=ReplayMarket(config))


def _signal(symbol: str, quantity: int, side: str, start: datetime) -> dict[str, object]:
    return {
        "symbol": symbol,
        "side": side,
        "quantity": quantity,
        "algorithm": "VWAP",
        "start_at": start,
        "end_at": CLOSE,
        "slices": 12,
    }


@pytest.mark.parametrize("symbol", ALL)
def test_every_order_ends_with_its_shares_accounted_for(orders: Orders, symbol: str) -> None:
    order = orders[symbol]
    fills = list(order.fills.all())
    assert sum(fill.quantity for fill in fills) == order.filled_quantity <= order.quantity
    residual = order.quantity - order.filled_quantity
    assert order.status == ("EXPIRED" if residual else "FILLED")
    told = f"{residual:,} of {order.quantity:,} not executed" if residual else ""
    assert order.status_reason.startswith(told)
    assert not order.slices.filter(finished_at__isnull=True).exists()
    assert_audit_trail_matches(order)


@pytest.mark.parametrize("symbol", ALL)
def test_fills_are_the_markets_and_none_comes_after_the_early_close(
    orders: Orders, symbol: str
) -> None:
    for fill in orders[symbol].fills.all():
        assert START < fill.executed_at < CLOSE
        minute = fill.executed_at.replace(second=0, microsecond=0)
        bar = Bar.objects.get(symbol=symbol, start_at=minute)
        assert bar.low <= fill.price <= bar.high


def test_a_liquid_order_is_done_by_the_early_close(orders: Orders) -> None:
    order = orders[PLAIN]
    assert (order.status, order.filled_quantity) == ("FILLED", 1_200)
    assert all(part.due_at < CLOSE for part in order.slices.all())


def test_nothing_leaves_while_the_symbol_is_silent_and_no_burst_follows(orders: Orders) -> None:
    order = orders[SILENT]
    sent = order.slices.filter(sent_at__isnull=False)
    assert not sent.filter(due_at__gt=STALE, sent_at__lt=SILENCE_OVER).exists()
    assert not sent.filter(sent_at__gt=STALE + LEAVES, sent_at__lt=SILENCE_OVER).exists()
    deferred = order.events.filter(kind__in=["SLICE_DEFERRED", "SLICE_STATUS"])
    assert deferred.filter(data__reason__startswith="QUOTE_STALE").exists()
    assert sent.filter(sent_at__lt=STALE).exists()
    assert_no_burst(order, SILENCE_OVER)


def test_nothing_leaves_while_the_symbol_is_halted_and_no_burst_follows(orders: Orders) -> None:
    order = orders[HALTED]
    sent = order.slices.filter(sent_at__isnull=False)
    assert sent.filter(sent_at__lt=HALT).exists()
    assert not sent.filter(sent_at__gte=HALT, sent_at__lt=HALT_OVER).exists()
    assert not order.fills.filter(executed_at__gte=HALT, executed_at__lt=HALT_OVER).exists()
    told = order.events.filter(data__reason__startswith="SYMBOL_HALTED")
    assert told.filter(kind__in=["SLICE_DEFERRED", "SLICE_STATUS"]).exists()
    swallowed = order.slices.filter(due_at__gte=HALT, end_at__lte=HALT_OVER)
    assert {part.status for part in swallowed} == {"SKIPPED"}
    assert_no_burst(order, HALT_OVER)
    assert order.filled_quantity >= 200


def assert_no_burst(order: Order, since: datetime) -> None:
    """What was missed is spread over the slices that were left."""
    after = list(order.slices.filter(sent_at__gte=since))
    assert after
    for part in after:
        left = order.slice_count - part.sequence
        before = part.explanation["target"] - part.explanation["planned"]
        behind = before - part.explanation["filled"] - part.explanation["working"]
        if left > 1:
            assert part.quantity <= part.explanation["planned"] + max(-(-behind // left), 0)


def test_a_thin_name_is_not_pressed_beyond_its_cap(orders: Orders) -> None:
    order = orders[THIN]
    assert 0 < order.filled_quantity < order.quantity
    for part in order.slices.filter(sent_at__isnull=False):
        told = part.explanation["participation"]
        assert part.quantity + told["used"] <= int(CAP * told["market_volume"]) + 1
    window = Bar.objects.filter(symbol=THIN, start_at__gte=START, start_at__lt=CLOSE)
    volume = window.aggregate(n=Sum("volume"))["n"]
    assert order.filled_quantity <= CAP * volume + 1


def test_an_amended_order_keeps_to_what_it_was_changed_to(orders: Orders) -> None:
    order = orders[AMENDED]
    assert (order.version, order.quantity, order.end_at) == (2, 400, NEW_END)
    late = Slice.objects.filter(order=order, sent_at__gt=NEW_END)
    assert not late.exists()
    assert not Fill.objects.filter(order=order, executed_at__gt=NEW_END).exists()
    assert order.filled_quantity >= 300
