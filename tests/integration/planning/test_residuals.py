"""What becomes of the shares that an order has left, and how the size and price of a child follow
the signal: replayed bars, a broker that fills what it is told to, one step after the other."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from execution.models import Order
from execution.planning import volume_profiles
from tests.integration.rebuild import assert_audit_trail_matches
from tests.integration.thin_market import (
    HALF_DAY,
    MINUTE,
    TODAY,
    Trial,
    all_of,
    at_minute,
    context_at,
    half_of,
    none_of,
    order_of,
    session_on,
    trade,
)

pytestmark = pytest.mark.django_db

TEN, ELEVEN, CLOSE = 30, 90, 390  # minutes of the session
FLAT = [900.0] * 390


def trial(answer: Any = all_of, *, start: float = TEN, **terms: Any) -> Trial:
    context = context_at(at_minute(start))
    return Trial(order_of(context, **terms), context, answer)


def residual_plans(order: Order) -> list[dict[str, Any]]:
    return [event.data for event in order.events.filter(kind="RESIDUAL_PLANNED").order_by("pk")]


def ended(order: Order) -> tuple[str, int, datetime]:
    assert_audit_trail_matches(order)
    assert order.finished_at is not None
    return order.status, order.filled_quantity, order.finished_at


def test_what_is_left_is_left_unless_the_signal_says_otherwise() -> None:
    trade(FLAT)
    given = trial(none_of)
    assert "residual" not in given.order.routing
    status, filled, at = ended(given.run())
    assert (status, filled, residual_plans(given.order)) == ("EXPIRED", 0, [])
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
    [planned] = residual_plans(given.order)
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
    assert (status, residual_plans(given.order), given.order.slice_count) == ("FILLED", [], 10)
    assert at < given.order.end_at - MINUTE * 6


def test_a_forced_rest_is_offered_at_fresh_prices_and_ends_with_the_window() -> None:
    """The price runs away, two dollars a minute from 10:54 on."""
    trade([900 + 2 * max(minute - 84, 0) for minute in range(390)])
    given = trial(none_of, residual="FORCE")
    end = given.order.end_at
    status, filled, at = ended(given.run())
    assert (status, filled) == ("EXPIRED", 0)
    assert end <= at < end + MINUTE
    assert [each["turns_left"] for each in residual_plans(given.order)] == [2, 1, 0]
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
    context = context_at(at_minute(TEN, day))
    order = order_of(context, residual="CLOSE")
    given = Trial(order, context, lambda size, minute: size if minute > ELEVEN else 0, day)
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
    first, second = residual_plans(given.order)
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
    assert (status, len(residual_plans(given.order))) == ("EXPIRED", 1)
    assert given.order.end_at == session_on(TODAY).close


@pytest.mark.parametrize("algorithm", ["VWAP", "POV", "IS"])
def test_every_algorithm_can_be_extended_and_forced(algorithm: str) -> None:
    trade(FLAT)
    for policy in ("EXTEND", "FORCE"):
        given = trial(half_of, residual=policy, algorithm=algorithm, quantity=5_000)
        order = given.run()
        assert_audit_trail_matches(order)
        assert residual_plans(order)
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
    [planned] = residual_plans(given.order)
    first = given.order.slices.get(sequence=planned["first_new_slice"])
    assert first.explanation["dynamic"]["profile"]
    extension = [size for minute, size in given.sent if minute >= ELEVEN]
    assert len(extension) > 2
    assert max(extension) <= 2 * planned["residual"] / len(extension)


def test_what_the_last_extension_leaves_is_forced_within_it() -> None:
    trade(FLAT)
    given = trial(none_of, residual="EXTEND_FORCE", residual_minutes=20)
    given.answer = lambda size, minute: size if minute >= ELEVEN + 38 else 0
    assert ended(given.run())[:2] == ("FILLED", 1_000)
    first, second, third = residual_plans(given.order)
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
    assert [each["policy"] for each in residual_plans(given.order)] == [
        "EXTEND",
        "FORCE",
        "FORCE",
        "FORCE",
    ]
    assert given.order.end_at == session_on(TODAY).close
