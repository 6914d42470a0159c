"""How much of an order leaves at each moment, by what its market has traded: replayed sessions, one
claim after the other, with perfect fills where nothing else is said."""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from django.db import connections
from typing_extensions import override

from benchmarks.bars import Day
from benchmarks.schedules import dynamic
from benchmarks.stock_days import Case
from deepstack.config import Config, Execution, Limits, Paper, Replay, Scheduling, Twap, Vwap
from deepstack.config import Market as MarketSettings
from execution.broker.order_manager import OrderManager
from execution.context import Context
from execution.domain.lifecycle import SliceStatus
from execution.domain.session import Session
from execution.entry import acceptance
from execution.market.base import MarketDataUnavailable, TapeBar
from execution.market.calendar import ExchangeCalendar
from execution.market.replay import ReplayMarket
from execution.models import Bar, Order, Slice
from execution.planning import volume_profiles
from execution.sending import outcomes, slices, targeting
from execution.sending.slices import Intent
from tests.integration.desk_work import execution, report
from tests.stack import empty_redis

pytestmark = pytest.mark.django_db

TODAY, HALF_DAY = date(2024, 6, 12), date(2024, 7, 3)
MINUTE = timedelta(minutes=1)
CALENDAR = ExchangeCalendar(dict)


def session_on(day: date) -> Session:
    session = CALENDAR.session_on(day)
    assert session is not None
    return session


def usual(length: int = 390) -> list[int]:
    """A smile: twice as much at both ends as in the middle."""
    return [400 + abs(2 * minute - length) for minute in range(length)]


def store(day: date, volumes: Sequence[int], symbol: str = "GWW") -> None:
    price = Decimal(900)
    prices = {"open": price, "high": price, "low": price, "close": price}
    Bar.objects.bulk_create(
        Bar(symbol=symbol, start_at=session_on(day).open + MINUTE * k, volume=volume, **prices)
        for k, volume in enumerate(volumes)
        if volume
    )


def learn(before: date, symbol: str = "GWW") -> None:
    """Six usual sessions, learned on the evening before."""
    day, stored = before, 0
    while stored < 6:
        day -= timedelta(days=1)
        session = CALENDAR.session_on(day)
        if session and session.length == timedelta(hours=6.5):
            store(day, usual(), symbol)
            stored += 1
    volume_profiles.learn_from_bars(now=session_on(before).open)


def desk_at(moment: datetime, market: type[ReplayMarket] = ReplayMarket, **more: Any) -> Context:
    config = Config(
        execution=Execution(**{"twap": Twap(timing_randomization=0), **more}),
        limits=Limits(max_order_quantity=100_000_000, max_order_notional=Decimal(10**12)),
        market=MarketSettings(source="replay", replay=Replay(quote_grace_seconds=86_400)),
        paper=Paper(),
    )
    return Context(config, market(config), OrderManager(config=config), lambda: moment)


def order_of(desk: Context, quantity: int = 100_000, **wishes: Any) -> Order:
    signal = {"symbol": "GWW", "side": "BUY", "quantity": quantity, "algorithm": "VWAP"}
    return acceptance.accept({**signal, "decision_price": 900, **wishes}, desk)


def claim(part: Slice, desk: Context, now: datetime) -> Intent | None:
    """As `slices.send` does it, up to the committed intent."""
    part = Slice.objects.select_related("order").get(pk=part.pk)
    quote = desk.market.quote(part.order.symbol, now)
    seen = targeting.look(part, desk, now=now)
    return slices.claim(part, quote, desk, now=now, seen=seen)


def fill(intent: Intent, desk: Context, quantity: int | None = None) -> None:
    done = intent.ticket.quantity if quantity is None else quantity
    status = SliceStatus.FILLED if done == intent.ticket.quantity else SliceStatus.CANCELLED
    trades = [replace(execution(intent, "1", done), executed_at=desk.now())] if done else []
    outcomes.record(
        intent.part.order_id, intent.part.pk, intent.token, report(intent, status, trades), desk
    )


def work(order: Order, desk: Context, *, missing: Iterable[int] = ()) -> dict[int, int]:
    """The size of the child of each slice; the `missing` ones pass unattended."""
    sent = {}
    for part in order.slices.order_by("sequence"):
        if part.sequence not in missing:
            intent = claim(part, replace(desk, now=lambda due=part.due_at: due), part.due_at)
            if intent is not None:
                sent[part.sequence] = intent.ticket.quantity
                fill(intent, replace(desk, now=lambda due=part.due_at: due))
    return sent


def explained(order: Order, sequence: int) -> dict[str, Any]:
    return dict(order.slices.get(sequence=sequence).explanation)


def busy(volumes: Sequence[int], first: int, last: int, factor: int) -> list[int]:
    return [v * factor if first <= k < last else v for k, v in enumerate(volumes)]


OPEN = session_on(TODAY).open
WHOLE = {"window_minutes": 390, "slices": 26}
FIVE_MINUTES = {"window_minutes": 390, "slices": 78}


def test_an_order_is_planned_by_the_learned_profile_and_says_which() -> None:
    learn(TODAY)
    store(TODAY, usual())
    order = order_of(desk_at(OPEN), **FIVE_MINUTES)

    told = order.routing["profile"]
    assert told["origin"] == "symbol"
    assert len(told["sessions"]) == 6
    assert max(told["sessions"]) < TODAY.isoformat()
    sizes = list(order.slices.order_by("sequence").values_list("planned_quantity", flat=True))
    whole = sum(usual())
    exact = [100_000 * sum(usual()[5 * k : 5 * k + 5]) / whole for k in range(78)]
    assert sizes == pytest.approx(exact, abs=1)
    event = order.events.get(kind="ORDER_ACCEPTED")
    assert event.data["profile"] == told


def test_without_a_learned_profile_the_plan_stands() -> None:
    store(TODAY - timedelta(days=1), [1] * 390)
    store(TODAY, busy(usual(), 0, 60, 5))
    order = order_of(desk_at(OPEN), **WHOLE)
    planned = dict(order.slices.values_list("sequence", "planned_quantity"))

    assert order.routing["profile"]["origin"] == "default"
    assert work(order, desk_at(OPEN)) == planned
    assert "dynamic" not in explained(order, 20)


def test_switched_off_the_plan_stands() -> None:
    learn(TODAY)
    store(TODAY, busy(usual(), 0, 60, 5))
    desk = desk_at(OPEN, vwap=Vwap(dynamic=False))
    order = order_of(desk, **WHOLE)
    planned = dict(order.slices.values_list("sequence", "planned_quantity"))
    assert work(order, desk) == planned


def test_slices_follow_the_day_as_the_benchmark_measures_it() -> None:
    learn(TODAY)
    today = busy(busy(usual(), 0, 60, 3), 200, 240, 4)
    store(TODAY, today)
    desk = desk_at(OPEN)
    order = order_of(desk, quantity=10_000_000, **FIVE_MINUTES)
    known = volume_profiles.profile_for("GWW", before=TODAY)
    assert known.mean_volume is not None
    assert known.expected_volume is not None
    case = Case(
        day=Day(OPEN, today, []),
        session=session_on(TODAY),
        own=known.profile,
        drawn=known.profile,
        mean_volume=known.mean_volume,
        expected=known.expected_volume,
    )
    sent = work(order, desk)

    expected = dynamic(case, OPEN, session_on(TODAY).close, profile=known.profile)
    assert list(sent.values()) == [size for _, size in expected]
    order.refresh_from_db()
    assert (order.status, order.filled_quantity) == ("FILLED", 10_000_000)
    told = explained(order, 20)
    assert told["target"] == order.slices.get(sequence=20).aimed_quantity
    assert told["dynamic"]["minutes_seen"] == 100
    assert told["dynamic"]["profile"] == known.row
    assert told["dynamic"]["share"] == pytest.approx(told["target"] / 10_000_000, abs=1e-6)


MONTH_END = date(2024, 4, 30)


def test_a_month_end_follows_what_earlier_ones_did_at_the_close() -> None:
    for earlier in (date(2024, 2, 29), date(2024, 3, 28)):
        learn(earlier)
        store(earlier, busy(usual(), 380, 390, 3))
        volume_profiles.learn_from_bars(now=session_on(earlier).close)
    learn(MONTH_END)
    store(MONTH_END, usual())
    opened, close = session_on(MONTH_END).open, session_on(MONTH_END).close
    order = order_of(desk_at(opened), quantity=10_000_000, **FIVE_MINUTES)

    told = order.routing["profile"]["special_day"]
    assert (told["kind"], told["days"]) == ("MONTH_END", 2)
    assert 1.3 < told["closing"] < 3**0.5  # of three times as much, two days teach half
    assert 1.0 < told["volume"] < 1.1
    plain = volume_profiles.profile_for("GWW", before=MONTH_END)
    known = volume_profiles.of_session("GWW", session_on(MONTH_END))
    assert known.mean_volume is not None
    assert known.expected_volume is not None
    assert known.expected_volume == pytest.approx(plain.expected_volume * told["volume"])
    volumes = Day(opened, usual(), [])
    case = Case(
        day=volumes,
        session=session_on(MONTH_END),
        own=known.profile,
        drawn=known.profile,
        mean_volume=known.mean_volume * told["volume"],
        expected=known.expected_volume,
    )
    planned = list(order.slices.order_by("sequence").values_list("planned_quantity", flat=True))
    assert sum(planned[-2:]) > 10_000_000 * (1 - plain.profile.reached(38 / 39)) * 1.2
    sent = work(order, desk_at(opened))
    assert list(sent.values()) == [
        size for _, size in dynamic(case, opened, close, profile=known.profile)
    ]


def test_an_order_without_a_number_of_slices_is_cut_where_volume_is_fast() -> None:
    learn(TODAY)
    store(TODAY, usual())
    close = session_on(TODAY).close
    order = order_of(desk_at(OPEN), quantity=1_000_000, window_minutes=390)
    due = list(order.slices.order_by("sequence").values_list("due_at", flat=True))
    assert due[-10:] == [close - MINUTE * left for left in range(10, 0, -1)]
    assert due[0] == OPEN
    assert 78 < len(due) < 390
    small = order_of(desk_at(OPEN), quantity=7_800, window_minutes=390)
    assert small.slice_count == 78


def test_slices_are_no_closer_than_their_children_may_be() -> None:
    learn(TODAY)
    store(TODAY, usual())
    desk = desk_at(OPEN, scheduling=Scheduling(min_gap_seconds=150))
    order = order_of(desk, quantity=1_000_000, window_minutes=390)
    due = list(order.slices.order_by("sequence").values_list("due_at", flat=True))
    gaps = [after - before for before, after in pairwise(due)]
    assert min(gaps) == timedelta(seconds=150)


def test_another_future_leaves_every_decision_as_it_was() -> None:
    learn(TODAY)
    store(TODAY, usual())

    def decisions() -> dict[int, int]:
        desk = desk_at(OPEN)
        return work(order_of(desk, **WHOLE), desk)

    before = decisions()
    noon = OPEN + MINUTE * 150
    Bar.objects.filter(start_at__gte=noon, start_at__lt=OPEN + MINUTE * 390).update(volume=9_999)
    after = decisions()
    assert [after[k] for k in range(11)] == [before[k] for k in range(11)]
    assert after != before


@pytest.mark.parametrize("missing", [range(10, 17), [0, 1, 2], [7], range(0, 26, 2), range(23)])
def test_missed_slices_are_caught_up_without_a_burst(missing: Iterable[int]) -> None:
    learn(TODAY)
    store(TODAY, busy(usual(), 0, 390, 2))
    desk = desk_at(OPEN)
    order = order_of(desk, **WHOLE)
    sent = work(order, desk, missing=missing)

    assert sum(sent.values()) == 100_000
    for sequence, size in sent.items():
        told = explained(order, sequence)
        behind = told["target"] - told["planned"] - told["filled"]
        if sequence < 25:
            assert size <= told["planned"] + max(-(-behind // (26 - sequence)), 0)
    before_the_last = [size for sequence, size in sent.items() if sequence < 25]
    assert max(before_the_last) < 100_000 / len(sent) * 3


def test_unfilled_children_roll_over_and_never_overfill() -> None:
    learn(TODAY)
    store(TODAY, usual())
    desk = desk_at(OPEN)
    order = order_of(desk, quantity=7_777, **WHOLE)
    for part in order.slices.order_by("sequence"):
        now = part.due_at
        intent = claim(part, desk, now)
        if intent is not None:
            order.refresh_from_db()
            assert order.filled_quantity + intent.ticket.quantity <= 7_777
            last = part.sequence == 25
            at = replace(desk, now=lambda due=now: due)
            fill(intent, at, None if last else intent.ticket.quantity // 3)
    order.refresh_from_db()
    assert order.filled_quantity == 7_777


def test_a_half_day_is_a_whole_profile_compressed() -> None:
    learn(HALF_DAY)
    session = session_on(HALF_DAY)
    assert session.length == timedelta(hours=3.5)
    store(HALF_DAY, usual(210))
    desk = desk_at(session.open)
    order = order_of(desk, window_minutes=210, slices=42)
    sent = work(order, desk)

    assert order.end_at == session.close
    assert sum(sent.values()) == 100_000
    # The tenth slice is due after 45 minutes and aims at the middle of the following ones.
    reached = sum(sent[sequence] for sequence in range(10))
    assert reached == pytest.approx(100_000 * sum(usual(210)[:48]) / sum(usual(210)), rel=0.05)


class NoTape(ReplayMarket):
    """A source whose quotes work and whose bars do not."""

    @override
    def bars(self, symbol: str, start: datetime, end: datetime) -> Sequence[TapeBar]:
        raise MarketDataUnavailable("bars time out")


def test_without_a_tape_the_plan_stands() -> None:
    learn(TODAY)
    store(TODAY, busy(usual(), 0, 60, 5))
    desk = desk_at(OPEN, NoTape)
    order = order_of(desk, **WHOLE)
    planned = dict(order.slices.values_list("sequence", "planned_quantity"))
    assert work(order, desk) == planned


TWAP = {"algorithm": "TWAP", "window_minutes": 60, "slices": 12}


def market_volume(order: Order, now: datetime) -> int:
    bars = Bar.objects.filter(start_at__gte=order.start_at, start_at__lte=now - MINUTE)
    return sum(bars.values_list("volume", flat=True))


@pytest.mark.parametrize("wish", [{"algorithm": "TWAP"}, {"algorithm": "VWAP"}])
def test_a_thin_name_is_worked_under_its_cap_to_the_last_slice(wish: dict[str, Any]) -> None:
    """50 shares a minute, 5 %: 2.5 a minute, so that 1,000 in an hour cannot be done."""
    learn(TODAY)
    store(TODAY, [50] * 390)
    desk = desk_at(OPEN, max_participation=Decimal("0.05"))
    order = order_of(desk, quantity=1_000, **TWAP | wish)
    end = order.start_at + timedelta(hours=1)
    now = OPEN
    while now < end:
        at = replace(desk, now=lambda now=now: now)
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
    return desk_at(now, **more), now


def parent(desk: Context, quantity: int = 1_200, **wishes: Any) -> Order:
    """Worked from ten o'clock on; its first slice is of a hundred shares."""
    return order_of(replace(desk, now=lambda: OPEN), quantity, **TWAP | wishes)


CAP = {"max_participation": Decimal("0.1")}


def only_due(part: Slice, now: datetime) -> Slice:
    """Due now, for another minute: what is claimed does not depend on the window that passed."""
    part.due_at, part.end_at = now, now + MINUTE * 3
    part.save()
    return part


@pytest.mark.parametrize(
    ("traded", "wishes", "sent"),
    [
        pytest.param(2_000, {}, 100, id="more than enough"),
        pytest.param(600, {}, 61, id="a part, and one lot"),
        pytest.param(300, {}, None, id="less than half: it waits"),
        pytest.param(300, {"max_participation": 0.01}, None, id="its own cap is stricter"),
        pytest.param(600, {"max_participation": 0.5}, 61, id="its own cap is wider"),
    ],
)
def test_a_child_is_cut_or_waits(traded: int, wishes: dict[str, Any], sent: int | None) -> None:
    store(TODAY, [traded])
    desk, now = at_minute(1, **CAP)
    part = only_due(first_of(parent(desk, **wishes)), now)
    intent = claim(part, desk, now)

    assert (intent and intent.ticket.quantity) == sent
    part.refresh_from_db()
    assert part.explanation["participation"]["market_volume"] == traded
    if sent is None:
        assert part.status == "PLANNED"
        assert part.reason.startswith("PARTICIPATION_CAP: cap=")
        assert now + MINUTE <= part.due_at < part.end_at


def test_near_its_end_a_slice_takes_what_there_is() -> None:
    store(TODAY, [300])
    desk, now = at_minute(1, **CAP)
    part = only_due(first_of(parent(desk)), now)
    part.end_at = now + timedelta(seconds=50)
    part.save()
    intent = claim(part, desk, now)
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
    desk, now = at_minute(1, **CAP)
    first = claim(only_due(first_of(parent(desk, 600, **other)), now), desk, now)
    assert first is not None
    assert first.ticket.quantity == 50
    if filled:
        fill(first, desk)
    second = claim(only_due(first_of(parent(desk)), now), desk, now)
    assert second is not None
    return second.ticket.quantity


@pytest.mark.parametrize(
    ("wishes", "sent"),
    [
        pytest.param({}, 1_200, id="an urgent order is not held up by the configured cap"),
        pytest.param({"max_participation": 0.1}, None, id="but by its own"),
    ],
)
def test_the_cap_of_a_market_order(wishes: dict[str, Any], sent: int | None) -> None:
    store(TODAY, [600])
    desk, now = at_minute(1, **CAP)
    order = parent(desk, algorithm="MARKET", slices=None, **wishes)
    intent = claim(only_due(first_of(order), now), desk, now)
    assert (intent and intent.ticket.quantity) == sent


def test_pov_takes_its_part_of_what_has_traded() -> None:
    learn(TODAY)
    store(TODAY, [1_000] * 60)
    desk = desk_at(OPEN)
    order = order_of(
        desk, 10_000, algorithm="POV", window_minutes=60, slices=60, max_participation=0.2
    )
    sent = []
    for part in order.slices.order_by("sequence")[:5]:
        now = part.due_at
        intent = claim(part, replace(desk, now=lambda due=now: due), now)
        assert intent is not None
        fill(intent, replace(desk, now=lambda due=now: due))
        sent.append((round((now - OPEN) / MINUTE), intent.ticket.quantity))
    done = [sum(size for _, size in sent[: k + 1]) for k in range(len(sent))]
    assert done == [minute * 200 + 1 for minute, _ in sent]


@pytest.mark.parametrize(
    ("wishes", "shares"),
    [
        pytest.param({"max_participation": 0.1}, 0, id="held to a tenth of what has traded"),
        pytest.param({"participation": 0.1}, 59, id="most of a tenth of what will trade"),
        pytest.param(
            {"participation": 0.1, "max_participation": 0.105}, 35, id="as far as its own cap"
        ),
    ],
)
def test_pov_counts_on_the_last_minute_before_the_close(
    wishes: dict[str, Any], shares: int
) -> None:
    """Its volume, 790 shares by the profile of so usual a day, is known when all is over."""
    learn(TODAY)
    store(TODAY, usual())
    desk = desk_at(OPEN + MINUTE * 380)
    order = order_of(desk, 10_000, algorithm="POV", window_minutes=10, slices=10, **wishes)
    traded = sum(usual()[380:389])
    assert sum(work(order, desk).values()) == traded // 10 + 1 + shares


def test_a_capped_order_waits_while_the_tape_is_silent() -> None:
    store(TODAY, [10_000] * 5)
    now = OPEN + MINUTE * 5
    desk = desk_at(now, NoTape, **CAP)
    part = only_due(first_of(parent(desk)), now)
    assert claim(part, desk, now) is None
    part.refresh_from_db()
    assert (part.status, part.reason) == ("PLANNED", "VOLUME_UNKNOWN: symbol=GWW")


@pytest.mark.django_db(transaction=True)
def test_parents_that_claim_at_one_moment_do_not_share_the_same_budget_twice() -> None:
    empty_redis()
    store(TODAY, [1_500])
    desk, now = at_minute(1, **CAP)
    parts = [only_due(first_of(parent(desk, client_reference=f"{k}")), now) for k in range(6)]

    def attempt(part: Slice) -> int:
        try:
            intent = claim(part, desk, now)
            return intent.ticket.quantity if intent else 0
        finally:
            connections.close_all()

    with ThreadPoolExecutor(6) as workers:
        sent = list(workers.map(attempt, parts))
    assert sorted(sent) == [0, 0, 0, 0, 51, 100]
