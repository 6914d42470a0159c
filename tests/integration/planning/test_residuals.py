"""What becomes of the shares that an order has left, and how the size and price of a child follow
the signal: replayed bars, a broker that fills what it is told to, one step after the other."""

import asyncio
import random
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connections, transaction

from deepstack.config import Scheduling
from execution import context as desks
from execution import heartbeat
from execution.booking import completion
from execution.broker.order_manager import OrderManager
from execution.domain.signal import InvalidSignal
from execution.entry import amend, drafting, order_controls
from execution.entry.preview import preview
from execution.models import Heartbeat, Order
from execution.planning import volume_profiles
from execution.risk import kill_switch
from execution.router import ExecutionRouter
from execution.sending import dispatcher
from tests.integration.api.test_api import client_of
from tests.integration.rebuild import assert_story_matches
from tests.integration.thin_market import (
    HALF_DAY,
    MINUTE,
    TODAY,
    Trial,
    all_of,
    at_minute,
    desk_at,
    half_of,
    none_of,
    order_of,
    session_on,
    trade,
)
from tests.stack import empty_redis

pytestmark = pytest.mark.django_db

TEN, ELEVEN, CLOSE = 30, 90, 390  # minutes of the session
FLAT = [900.0] * 390


def trial(answer: Any = all_of, *, start: float = TEN, **wishes: Any) -> Trial:
    desk = desk_at(at_minute(start))
    return Trial(order_of(desk, **wishes), desk, answer)


def story(order: Order) -> list[dict[str, Any]]:
    return [event.data for event in order.events.filter(kind="RESIDUAL_PLANNED").order_by("pk")]


def ended(order: Order) -> tuple[str, int, datetime]:
    assert_story_matches(order)
    assert order.finished_at is not None
    return order.status, order.filled_quantity, order.finished_at


def test_what_is_left_is_left_unless_the_signal_says_otherwise() -> None:
    trade(FLAT)
    given = trial(none_of)
    assert "residual" not in given.order.routing
    status, filled, at = ended(given.run())
    assert (status, filled, story(given.order)) == ("EXPIRED", 0, [])
    assert at - given.order.end_at < MINUTE
    assert given.order.slice_count == 10


def test_forced_the_rest_leaves_as_one_urgent_child_before_the_end() -> None:
    trade(FLAT)
    given = trial(lambda size, minute: size if minute >= ELEVEN - 6 else size // 2)
    given = trial(given.answer, residual="FORCE")
    end = given.order.end_at
    plan = given.order.routing["residual"]
    assert plan["schedule"]["end"] == (end - MINUTE * 6).isoformat()
    status, filled, at = ended(given.run())

    assert (status, filled) == ("FILLED", 1_000)
    assert end - MINUTE * 6 <= at < end
    [planned] = story(given.order)
    assert (planned["policy"], planned["first_new_slice"]) == ("FORCE", 10)
    last = given.order.slices.get(sequence=10)
    assert last.quantity == planned["residual"]
    assert last.limit_price == Decimal("904.59")  # 50 bps beyond the ask of 900.09
    assert last.explanation["residual"] == "FORCE"
    assert given.order.slices.get(sequence=9).limit_price == Decimal("900.99")


def test_with_perfect_fills_nothing_is_forced() -> None:
    trade(FLAT)
    given = trial(residual="FORCE")
    status, _, at = ended(given.run())
    assert (status, story(given.order), given.order.slice_count) == ("FILLED", [], 10)
    assert at < given.order.end_at - MINUTE * 6


def test_a_forced_rest_is_offered_at_fresh_prices_and_ends_with_the_window() -> None:
    """The price runs away, two dollars a minute from 10:54 on."""
    trade([900 + 2 * max(minute - 84, 0) for minute in range(390)])
    given = trial(none_of, residual="FORCE")
    end = given.order.end_at
    status, filled, at = ended(given.run())
    assert (status, filled) == ("EXPIRED", 0)
    assert end <= at < end + MINUTE
    assert [each["turns_left"] for each in story(given.order)] == [2, 1, 0]
    forced = given.order.slices.filter(sequence__gte=10).order_by("sequence")
    limits = [part.limit_price for part in forced]
    assert limits == sorted(set(limits))
    assert all(part.quantity == 1_000 and part.end_at <= end for part in forced)


@pytest.mark.parametrize(
    ("free", "most"), [(None, 1_000 * 0.002 * 60 + 1), (True, 1_000)], ids=["capped", "free of it"]
)
def test_a_forced_rest_keeps_to_the_cap_unless_the_signal_frees_it(
    free: bool | None, most: float
) -> None:
    trade(FLAT)  # 1,000 shares a minute: 2 a minute may be taken
    given = trial(residual="FORCE", max_participation=0.002, residual_ignores_cap=free)
    order = given.run()
    assert order.filled_quantity <= most
    assert (order.status == "FILLED") is bool(free)
    if not free:
        assert order.filled_quantity > most - 15


def test_pov_forced_leaves_its_pace_but_not_its_cap() -> None:
    trade(FLAT)
    given = trial(residual="FORCE", algorithm="POV", quantity=10_000)
    status, filled, _ = ended(given.run())
    assert (status, filled) == ("FILLED", 10_000)
    by_pace = sum(size for minute, size in given.sent if minute < ELEVEN - 6)
    assert by_pace < 6_000


@pytest.mark.parametrize(("day", "close"), [(TODAY, 390), (HALF_DAY, 210)])
def test_the_rest_waits_for_the_close(day: Any, close: int) -> None:
    trade([900.0] * close, day=day)
    desk = desk_at(at_minute(TEN, day))
    order = order_of(desk, residual="CLOSE")
    given = Trial(order, desk, lambda size, minute: size if minute > ELEVEN else 0, day)
    status, filled, at = ended(given.run())

    assert (status, filled) == ("FILLED", 1_000)
    assert given.order.end_at == session_on(day).close
    assert given.sent[-1] == (close - 5, 1_000)
    assert [minute for minute, _ in given.sent if ELEVEN <= minute < close - 5] == []
    assert at < session_on(day).close
    assert given.order.slices.get(sequence=10).limit_price == Decimal("904.59")


def test_what_the_close_does_not_take_never_trades_the_next_open() -> None:
    trade(FLAT)
    given = trial(none_of, residual="CLOSE", residual_minutes=10)
    status, filled, at = ended(given.run())
    assert (status, filled) == ("EXPIRED", 0)
    assert timedelta(0) <= at - session_on(TODAY).close < MINUTE
    assert min(minute for minute, _ in given.sent if minute > ELEVEN) == CLOSE - 10
    assert max(part.end_at for part in given.order.slices.all()) <= session_on(TODAY).close


def test_an_extension_works_the_rest_by_the_same_algorithm_and_ends() -> None:
    trade(FLAT)
    given = trial(half_of, residual="EXTEND")
    status, filled, at = ended(given.run())
    assert status == "EXPIRED"
    assert 900 < filled < 1_000
    first, second = story(given.order)
    assert (first["residual"] - second["residual"], second["turns_left"]) > (0, 0)
    assert given.order.end_at == at_minute(ELEVEN + 30)
    assert timedelta(0) <= at - given.order.end_at < MINUTE
    longer = list(given.order.slices.filter(sequence__gte=10).order_by("sequence"))
    assert len(longer) == first["slices"] - 10 + second["slices"] - first["slices"]
    assert 2 <= first["slices"] - 10 <= 3  # as long as those of the ten in an hour
    assert "residual" not in longer[0].explanation
    assert longer[0].limit_price == Decimal("900.99")  # no more urgent than before


def test_an_extension_that_is_filled_ends_the_order() -> None:
    trade(FLAT)
    given = trial(
        lambda size, minute: size if minute >= ELEVEN else 0,
        residual="EXTEND",
        residual_minutes=20,
        max_extensions=1,
    )
    status, filled, at = ended(given.run())
    assert (status, filled) == ("FILLED", 1_000)
    assert at_minute(ELEVEN) < at < at_minute(ELEVEN + 20)
    extension = [size for minute, size in given.sent if minute >= ELEVEN]
    assert len(extension) == 3
    assert max(extension) - min(extension) <= 1


def test_no_extension_leaves_the_session() -> None:
    trade(FLAT)
    given = trial(none_of, start=CLOSE - 65, residual="EXTEND", residual_minutes=60)
    status, _, _ = ended(given.run())
    assert (status, len(story(given.order))) == ("EXPIRED", 1)
    assert given.order.end_at == session_on(TODAY).close


@pytest.mark.parametrize("algorithm", ["VWAP", "POV", "IS"])
def test_every_algorithm_can_be_extended_and_forced(algorithm: str) -> None:
    trade(FLAT)
    for policy in ("EXTEND", "FORCE"):
        given = trial(half_of, residual=policy, algorithm=algorithm, quantity=5_000)
        order = given.run()
        assert_story_matches(order)
        assert story(order)
        assert order.is_terminal


def test_a_vwap_extension_follows_the_day_from_where_it_begins() -> None:
    for back in range(1, 10):
        day = TODAY - timedelta(days=back)
        if day.weekday() < 5:
            trade(FLAT, day=day)
    trade(FLAT)
    volume_profiles.learn_from_bars(now=session_on(TODAY).open)
    given = trial(
        lambda size, minute: size if minute >= ELEVEN else size // 2,
        algorithm="VWAP",
        residual="EXTEND",
        residual_minutes=30,
    )
    status, filled, _ = ended(given.run())
    assert (status, filled) == ("FILLED", 1_000)
    [planned] = story(given.order)
    first = given.order.slices.get(sequence=planned["first_new_slice"])
    assert first.explanation["dynamic"]["profile"]
    extension = [size for minute, size in given.sent if minute >= ELEVEN]
    assert len(extension) > 2
    assert max(extension) <= 2 * planned["residual"] / len(extension)


def test_nothing_is_planned_while_the_fate_of_a_child_is_unknown() -> None:
    trade(FLAT)
    given = trial(lambda size, minute: None if minute == TEN else 0, residual="FORCE")
    given.run(until=at_minute(ELEVEN - 3))
    assert story(given.order) == []

    given.desk = desk_at(at_minute(ELEVEN - 3))
    given.end(given.children[0])
    assert story(given.order)[0]["residual"] == 1_000
    given.run(until=at_minute(ELEVEN - 2))
    assert given.sent[-1] == (ELEVEN - 3, 1_000)


@pytest.mark.parametrize("policy", ["FORCE", "CLOSE", "EXTEND"])
def test_a_paused_order_does_not_go_on_by_itself(policy: str) -> None:
    trade(FLAT)
    given = trial(none_of, residual=policy)
    given.run(until=at_minute(ELEVEN - 20))
    order_controls.pause(given.order.pk, by="ann", now=at_minute(ELEVEN - 20))
    given.desk = desk_at(at_minute(ELEVEN - 20))
    status, _, _ = ended(given.run())
    assert (status, story(given.order)) == ("EXPIRED", [])


def test_a_paused_order_that_is_resumed_in_time_is_forced() -> None:
    trade(FLAT)
    given = trial(none_of, residual="FORCE")
    given.run(until=at_minute(ELEVEN - 20))
    order_controls.pause(given.order.pk, by="ann", now=at_minute(ELEVEN - 20))
    given.desk, given.answer = desk_at(at_minute(ELEVEN - 20)), all_of
    given.run(until=at_minute(ELEVEN - 4))
    order_controls.resume(given.order.pk, by="ann", now=at_minute(ELEVEN - 4))
    assert ended(given.run())[:2] == ("FILLED", 1_000)
    assert given.sent[-1][1] == 1_000


@pytest.mark.parametrize("policy", ["FORCE", "CLOSE", "EXTEND"])
def test_a_cancelled_order_does_not_go_on(policy: str) -> None:
    trade(FLAT)
    given = trial(none_of, residual=policy)
    given.run(until=at_minute(ELEVEN - 20))
    order_controls.cancel(given.order.pk, by="ann", now=at_minute(ELEVEN - 20))
    given.end(given.children[-1])
    status, _, _ = ended(given.order)
    assert (status, story(given.order)) == ("CANCELLED", [])


def test_a_halt_holds_a_forced_rest_back() -> None:
    trade(FLAT)
    given = trial(none_of, residual="FORCE")
    given.run(until=at_minute(ELEVEN - 7))
    scope = {"scope": "SYMBOL", "key": "GWW", "by": "ann", "reason": "news"}
    kill_switch.set_state(state="HALTED", **scope)
    given.desk, given.answer, before = desk_at(at_minute(ELEVEN - 7)), all_of, len(given.sent)
    given.run(until=at_minute(ELEVEN - 1))
    assert (len(given.sent), len(story(given.order))) == (before, 3)

    kill_switch.set_state(state="ACTIVE", **scope)
    given.desk = desk_at(at_minute(ELEVEN - 1))
    assert ended(given.run())[:2] == ("FILLED", 1_000)


def test_an_end_that_is_noticed_again_and_again_is_decided_once() -> None:
    trade(FLAT)
    given = trial(none_of, residual="EXTEND")
    given.run(until=at_minute(ELEVEN))
    for child in given.children:
        given.end(child)
    now = at_minute(ELEVEN) + timedelta(seconds=1)
    for _ in range(3):
        completion.expire(given.order.pk, at=now)
    assert len(story(given.order)) == 1


@pytest.mark.django_db(transaction=True)
def test_two_that_notice_the_end_at_one_moment_decide_once() -> None:
    empty_redis()
    trade(FLAT)
    given = trial(residual="CLOSE")
    now = at_minute(ELEVEN)

    def notice(_: int) -> None:
        try:
            completion.expire(given.order.pk, at=now)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(6) as loops:
        list(loops.map(notice, range(6)))
    assert [each["residual"] for each in story(given.order)] == [1_000]
    assert given.order.slices.filter(status__in=("PLANNED", "QUEUED")).count() == 1


def test_a_decision_that_is_not_committed_was_never_made() -> None:
    trade(FLAT)
    given = trial(residual="CLOSE")
    before = list(given.order.slices.order_by("pk").values())

    def power_cut() -> None:
        with transaction.atomic():
            completion.expire(given.order.pk, at=at_minute(ELEVEN))
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        power_cut()
    given.order.refresh_from_db()
    assert list(given.order.slices.order_by("pk").values()) == before
    assert (given.order.end_at, story(given.order)) == (at_minute(ELEVEN), [])
    assert ended(given.run())[:2] == ("FILLED", 1_000)


def test_what_was_planned_is_rung_for_by_whichever_loop_comes_next() -> None:
    trade(FLAT)
    given = trial(residual="CLOSE")
    completion.expire(given.order.pk, at=at_minute(ELEVEN))
    [part] = given.order.slices.filter(status="PLANNED")
    ringing = dispatcher.due_slices(part.due_at, part.due_at, Scheduling())
    assert ringing == [(part.pk, at_minute(CLOSE - 5))]


@pytest.mark.parametrize("policy", ["LEAVE", "FORCE", "CLOSE", "EXTEND", "EXTEND_FORCE"])
@pytest.mark.parametrize("seed", range(3))
def test_whatever_the_broker_does_the_books_close(policy: str, seed: int) -> None:
    """Every step checks F + W <= Q; the end is a clean one."""
    trade(FLAT)
    chance = random.Random(f"{policy}{seed}")

    def moody(size: int, minute: float) -> int:
        return chance.choice([0, 0, size, size // 2, chance.randint(0, size)])

    given = trial(moody, residual=policy, quantity=chance.randint(1, 2_000))
    order = given.run()
    assert_story_matches(order)
    assert order.is_terminal
    left = order.quantity - order.filled_quantity
    assert order.status == ("EXPIRED" if left else "FILLED")
    assert order.status_reason.startswith(f"{left:,} of " if left else "")
    assert order.end_at <= session_on(TODAY).close


def test_an_amended_order_is_forced_with_its_new_rest() -> None:
    trade(FLAT)
    given = trial(none_of, residual="FORCE")
    given.run(until=at_minute(ELEVEN - 5))
    assert len(story(given.order)) == 1
    given.answer = all_of
    now = desk_at(at_minute(ELEVEN - 5))
    amend.amend(given.order.pk, {"quantity": 1_500}, version=1, by="ann", desk=now)
    given.order.refresh_from_db()
    given.desk = now
    assert ended(given.run())[:2] == ("FILLED", 1_500)
    assert given.order.end_at == at_minute(ELEVEN)


@pytest.mark.parametrize(
    ("wishes", "minute"),
    [
        ({"algorithm": "LIMIT", "aggressive_after": 0.5}, TEN + 40),
        ({"residual": "EXTEND_FORCE", "max_extensions": 1}, ELEVEN + 14),
    ],
)
def test_an_amended_order_crosses_with_what_was_added(wishes: Any, minute: int) -> None:
    trade(FLAT)
    given = trial(none_of, **wishes)
    given.run(until=at_minute(minute))
    assert given.order.routing["residual"]["turns"] < 3
    now = desk_at(at_minute(minute))
    amend.amend(given.order.pk, {"quantity": 1_500}, version=1, by="ann", desk=now)
    given.desk, given.answer = now, all_of
    given.end(given.children[-1])
    given.order.refresh_from_db()
    assert ended(given.run())[:2] == ("FILLED", 1_500)


def test_an_amended_order_that_waits_for_the_close_goes_on_waiting() -> None:
    trade(FLAT)
    given = trial(none_of, residual="CLOSE")
    given.run(until=at_minute(ELEVEN + 30))
    now = desk_at(at_minute(ELEVEN + 30))
    amend.amend(given.order.pk, {"quantity": 700}, version=1, by="ann", desk=now)
    given.desk, given.answer = now, all_of
    given.order.refresh_from_db()
    assert ended(given.run())[:2] == ("FILLED", 700)
    assert given.sent[-1] == (CLOSE - 5, 700)


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
    ("wishes", "field"),
    [
        ({"max_slice": 50, "slices": 10}, "slices"),
        ({"min_slice": 600, "max_slice": 800}, "max_slice"),
        ({"max_slice": 1, "quantity": 30_000}, "max_slice"),
    ],
)
def test_bounds_that_no_plan_fits_are_refused(wishes: dict[str, Any], field: str) -> None:
    trade(FLAT)
    with pytest.raises(InvalidSignal) as refused:
        trial(**wishes)
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
    desk = desk_at(at_minute(TEN))
    wish = {"symbol": "GWW", "side": "BUY", "quantity": 100, "algorithm": "TWAP"}
    seen = preview(wish | {"residual": "FORCE", "window_minutes": 60}, desk)
    assert seen["residual"] == {
        "policy": "FORCE",
        "then": "LEAVE",
        "from": at_minute(ELEVEN - 6).isoformat(),
        "until": at_minute(ELEVEN).isoformat(),
        "turns": 3,
    }
    assert preview(wish, desk)["residual"] == {}


@pytest.mark.django_db(transaction=True)
def test_every_door_takes_the_controls() -> None:
    empty_redis()
    heartbeat.beat(Heartbeat.Kind.WORKER)
    body = {"symbol": "AAPL", "side": "BUY", "quantity": 1_000, "algorithm": "TWAP"}
    answer = client_of("Trader").post("/api/v1/orders/", body | CONTROLS, format="json")
    assert (answer.status_code, answer.json()["parameters"]) == (201, KEPT)

    router = ExecutionRouter(OrderManager(config=desks.default().config))
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
        drafting.draft(body | {"residual": "LEAVE"}, desks.default()).order.routing.get("residual")
        is None
    )


def test_what_the_last_extension_leaves_is_forced_within_it() -> None:
    trade(FLAT)
    given = trial(none_of, residual="EXTEND_FORCE", residual_minutes=20)
    given.answer = lambda size, minute: size if minute >= ELEVEN + 38 else 0
    assert ended(given.run())[:2] == ("FILLED", 1_000)
    first, second, third = story(given.order)
    assert [each["policy"] for each in (first, second, third)] == ["EXTEND", "EXTEND", "FORCE"]
    assert [each["next"] for each in (first, second)] == ["EXTEND", "FORCE"]
    assert given.order.end_at == at_minute(ELEVEN + 40)
    assert third["start_at"] == at_minute(ELEVEN + 38).isoformat()
    last = given.order.slices.order_by("-sequence")[0]
    assert (last.quantity, last.limit_price) == (1_000, Decimal("904.59"))
    assert given.sent[-1] == (ELEVEN + 38, 1_000)


def test_an_extension_that_the_close_cuts_short_is_the_last() -> None:
    trade(FLAT)
    given = trial(none_of, start=CLOSE - 70, residual="EXTEND_FORCE", residual_minutes=60)
    status, _, _ = ended(given.run())
    assert status == "EXPIRED"
    assert [each["policy"] for each in story(given.order)] == ["EXTEND", "FORCE", "FORCE", "FORCE"]
    assert given.order.end_at == session_on(TODAY).close
