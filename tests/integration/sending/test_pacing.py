"""How much of an order leaves at each moment, by what its market has traded: replayed sessions, one
claim after the other, with perfect fills where nothing else is said."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import pytest

from benchmarks.bars import Day
from benchmarks.schedules import dynamic
from benchmarks.stock_days import Case
from deepstack.config import Scheduling, Vwap
from execution.models import Bar, Order
from execution.planning import volume_profiles
from tests.integration.sending.replayed_days import (
    FIVE_MINUTES,
    HALF_DAY,
    MINUTE,
    OPEN,
    TODAY,
    WHOLE,
    NoTape,
    claim,
    context_at,
    fill,
    learn,
    order_of,
    session_on,
    store,
    usual,
    work,
)

pytestmark = [pytest.mark.django_db, pytest.mark.any_date]


def explained(order: Order, sequence: int) -> dict[str, Any]:
    return dict(order.slices.get(sequence=sequence).explanation)


def busy(volumes: Sequence[int], first: int, last: int, factor: int) -> list[int]:
    return [v * factor if first <= k < last else v for k, v in enumerate(volumes)]


def test_an_order_is_planned_by_the_learned_profile_and_says_which() -> None:
    learn(TODAY)
    store(TODAY, usual())
    order = order_of(context_at(OPEN), **FIVE_MINUTES)

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
    order = order_of(context_at(OPEN), **WHOLE)
    planned = dict(order.slices.values_list("sequence", "planned_quantity"))

    assert order.routing["profile"]["origin"] == "default"
    assert work(order, context_at(OPEN)) == planned
    assert "dynamic" not in explained(order, 20)


def test_switched_off_the_plan_stands() -> None:
    learn(TODAY)
    store(TODAY, busy(usual(), 0, 60, 5))
    context = context_at(OPEN, vwap=Vwap(dynamic=False))
    order = order_of(context, **WHOLE)
    planned = dict(order.slices.values_list("sequence", "planned_quantity"))
    assert work(order, context) == planned


def test_slices_follow_the_day_as_the_benchmark_measures_it() -> None:
    learn(TODAY)
    today = busy(busy(usual(), 0, 60, 3), 200, 240, 4)
    store(TODAY, today)
    context = context_at(OPEN)
    order = order_of(context, quantity=10_000_000, **FIVE_MINUTES)
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
    sent = work(order, context)

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
    order = order_of(context_at(opened), quantity=10_000_000, **FIVE_MINUTES)

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
    sent = work(order, context_at(opened))
    assert list(sent.values()) == [
        size for _, size in dynamic(case, opened, close, profile=known.profile)
    ]


def test_an_order_without_a_number_of_slices_is_cut_where_volume_is_fast() -> None:
    learn(TODAY)
    store(TODAY, usual())
    close = session_on(TODAY).close
    order = order_of(context_at(OPEN), quantity=1_000_000, window_minutes=390)
    due = list(order.slices.order_by("sequence").values_list("due_at", flat=True))
    assert due[-10:] == [close - MINUTE * left for left in range(10, 0, -1)]
    assert due[0] == OPEN
    assert 78 < len(due) < 390
    small = order_of(context_at(OPEN), quantity=7_800, window_minutes=390)
    assert small.slice_count == 78


def test_slices_are_no_closer_than_their_children_may_be() -> None:
    learn(TODAY)
    store(TODAY, usual())
    context = context_at(OPEN, scheduling=Scheduling(min_gap_seconds=150))
    order = order_of(context, quantity=1_000_000, window_minutes=390)
    due = list(order.slices.order_by("sequence").values_list("due_at", flat=True))
    gaps = [after - before for before, after in pairwise(due)]
    assert min(gaps) == timedelta(seconds=150)


def test_another_future_leaves_every_decision_as_it_was() -> None:
    learn(TODAY)
    store(TODAY, usual())

    def decisions() -> dict[int, int]:
        context = context_at(OPEN)
        return work(order_of(context, **WHOLE), context)

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
    context = context_at(OPEN)
    order = order_of(context, **WHOLE)
    sent = work(order, context, missing=missing)

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
    context = context_at(OPEN)
    order = order_of(context, quantity=7_777, **WHOLE)
    for part in order.slices.order_by("sequence"):
        now = part.due_at
        intent = claim(part, context, now)
        if intent is not None:
            order.refresh_from_db()
            assert order.filled_quantity + intent.ticket.quantity <= 7_777
            last = part.sequence == 25
            at = replace(context, now=lambda due=now: due)
            fill(intent, at, None if last else intent.ticket.quantity // 3)
    order.refresh_from_db()
    assert order.filled_quantity == 7_777


def test_a_half_day_is_a_whole_profile_compressed() -> None:
    learn(HALF_DAY)
    session = session_on(HALF_DAY)
    assert session.length == timedelta(hours=3.5)
    store(HALF_DAY, usual(210))
    context = context_at(session.open)
    order = order_of(context, window_minutes=210, slices=42)
    sent = work(order, context)

    assert order.end_at == session.close
    assert sum(sent.values()) == 100_000
    # The tenth slice is due after 45 minutes and aims at the middle of the following ones.
    reached = sum(sent[sequence] for sequence in range(10))
    assert reached == pytest.approx(100_000 * sum(usual(210)[:48]) / sum(usual(210)), rel=0.05)


def test_without_a_tape_the_plan_stands() -> None:
    learn(TODAY)
    store(TODAY, busy(usual(), 0, 60, 5))
    context = context_at(OPEN, NoTape)
    order = order_of(context, **WHOLE)
    planned = dict(order.slices.values_list("sequence", "planned_quantity"))
    assert work(order, context) == planned
