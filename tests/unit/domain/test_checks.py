"""Pre-trade checks: what passes and what is denied, with which code; missing data deny."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal as D
from typing import Any

import pytest

from execution.domain import risk_checks
from execution.domain.risk_checks import Bounds, Exposure, Facts, Heat, first_denial

NOW = datetime(2026, 11, 23, 15, tzinfo=UTC)
FINE = Facts(
    now=NOW,
    side_sign=1,
    quantity=100,
    parent_quantity=100,
    price=D("100.05"),
    limit_price=D("100.05"),
    average_daily_volume=1_000_000,
    bid=D("99.99"),
    ask=D("100.01"),
    quoted_at=NOW,
    halted_since=None,
    halt_reason="",
    halts=(),
    exposure=Exposure(),
)
BOUNDS = Bounds(
    max_quantity=1_000,
    max_notional=D(50_000),
    max_adv_share=D("0.25"),
    collar=D("0.05"),
    decision_collar=D("0.10"),
    max_quote_age=15.0,
    max_spread_bps=D(500),
)


@pytest.mark.parametrize(
    ("check", "change", "code"),
    [
        (risk_checks.halted, {}, None),
        (risk_checks.halted, {"halts": (("SYSTEM", "HALTED"),)}, "TRADING_HALTED"),
        (risk_checks.halted, {"halts": (("SYMBOL AAPL", "REDUCING"),)}, "POSITION_UNKNOWN"),
        (risk_checks.quantity, {"quantity": 1_000}, None),
        (risk_checks.quantity, {"quantity": 1_001}, "QUANTITY_EXCEEDS_MAX"),
        (risk_checks.notional, {"quantity": 499}, None),
        (risk_checks.notional, {"quantity": 500}, "NOTIONAL_EXCEEDS_MAX"),
        (risk_checks.notional, {"price": None}, "PRICE_UNKNOWN"),
        (risk_checks.adv_share, {"average_daily_volume": 400}, None),
        (risk_checks.adv_share, {"average_daily_volume": 399}, "ADV_SHARE_EXCEEDS_MAX"),
        (risk_checks.adv_share, {"average_daily_volume": None}, None),
        (
            risk_checks.adv_share,
            {"quantity": 1, "average_daily_volume": 399},
            "ADV_SHARE_EXCEEDS_MAX",
        ),
        (risk_checks.symbol_halted, {}, None),
        (risk_checks.symbol_halted, {"halted_since": NOW}, "SYMBOL_HALTED"),
        (risk_checks.quote_usable, {}, None),
        (risk_checks.quote_usable, {"bid": None}, "QUOTE_MISSING"),
        (risk_checks.quote_usable, {"ask": None}, "QUOTE_MISSING"),
        (risk_checks.quote_usable, {"quoted_at": None}, "QUOTE_MISSING"),
        (risk_checks.quote_usable, {"quoted_at": NOW - timedelta(seconds=15)}, None),
        (risk_checks.quote_usable, {"quoted_at": NOW - timedelta(seconds=15.1)}, "QUOTE_STALE"),
        (risk_checks.quote_usable, {"bid": D("100.01")}, None),  # locked is not crossed
        (risk_checks.quote_usable, {"bid": D("100.02")}, "QUOTE_CROSSED"),
        (risk_checks.quote_usable, {"bid": D(0)}, "QUOTE_CROSSED"),
        (risk_checks.quote_usable, {"bid": D("90")}, "SPREAD_TOO_WIDE"),
        (risk_checks.collar, {"limit_price": D(105)}, None),
        (risk_checks.collar, {"limit_price": D("105.01")}, "PRICE_OUTSIDE_COLLAR"),
        (risk_checks.collar, {"limit_price": D(50)}, None),  # passive, however far
        (risk_checks.collar, {"side_sign": -1, "limit_price": D(95)}, None),
        (risk_checks.collar, {"side_sign": -1, "limit_price": D("94.99")}, "PRICE_OUTSIDE_COLLAR"),
        (risk_checks.collar, {"limit_price": None}, None),
        (risk_checks.collar, {"bid": None}, "QUOTE_MISSING"),
    ],
)
def test_each_check_has_its_bound(
    check: risk_checks.Check, change: dict[str, Any], code: str | None
) -> None:
    denial = check(replace(FINE, **change), BOUNDS)
    assert (denial.code if denial else None) == code


REDUCING = (("ACCOUNT main", "REDUCING"),)


@pytest.mark.parametrize(
    ("word", "sign", "quantity", "position", "pending", "code"),
    [
        ("a sale takes from what is held", -1, 100, 100, 0, None),
        ("a sale may not go short", -1, 101, 100, 0, "REDUCING_ONLY"),
        ("others sell already", -1, 51, 100, 50, "REDUCING_ONLY"),
        ("others leave just enough", -1, 50, 100, 50, None),
        ("a purchase adds to it", 1, 1, 100, 0, "REDUCING_ONLY"),
        ("a purchase covers what is short", 1, 100, -100, 0, None),
        ("nothing is held", 1, 1, 0, 0, "REDUCING_ONLY"),
        ("nobody knows what is held", -1, 1, None, 0, "POSITION_UNKNOWN"),
        ("nobody knows what others sell", -1, 1, 100, None, "POSITION_UNKNOWN"),
    ],
)
def test_reducing_lets_through_what_brings_the_position_closer_to_zero(
    word: str, sign: int, quantity: int, position: int | None, pending: int | None, code: str | None
) -> None:
    exposure = Exposure(position=position, pending=pending)
    facts = replace(FINE, side_sign=sign, quantity=quantity, exposure=exposure, halts=REDUCING)
    denial = risk_checks.halted(facts, BOUNDS)
    assert (denial.code if denial else None) == code


def test_a_halt_counts_more_than_a_reducing_state() -> None:
    facts = replace(
        FINE,
        side_sign=-1,
        exposure=Exposure(position=1_000, pending=0),
        halts=(*REDUCING, ("SYSTEM", "HALTED")),
    )
    denial = risk_checks.halted(facts, BOUNDS)
    assert str(denial) == "TRADING_HALTED: scope=SYSTEM, state=HALTED"


@pytest.mark.parametrize(
    ("check", "bound", "side_sign", "known", "code"),
    [
        # (check, its bound, side, what is known, the denial)
        (risk_checks.restricted, {}, 1, {}, None),
        (risk_checks.restricted, {}, 1, {"restricted": "merger"}, "SYMBOL_RESTRICTED"),
        (risk_checks.restricted, {}, 1, {"restricted": ""}, "SYMBOL_RESTRICTED"),
        (risk_checks.position, {}, 1, {}, None),
        (risk_checks.position, {"max_position": 500}, 1, {}, "POSITION_UNKNOWN"),
        (risk_checks.position, {"max_position": 500}, 1, {"position": 400}, "POSITION_UNKNOWN"),
        (risk_checks.position, {"max_position": 500}, 1, {"position": 400, "pending": 0}, None),
        (
            risk_checks.position,
            {"max_position": 500},
            1,
            {"position": 400, "pending": 1},
            "POSITION_EXCEEDS_MAX",
        ),
        (risk_checks.position, {"max_position": 500}, -1, {"position": -400, "pending": 0}, None),
        (
            risk_checks.position,
            {"max_position": 500},
            -1,
            {"position": -401, "pending": 0},
            "POSITION_EXCEEDS_MAX",
        ),
        # Beyond the limit already: the way back is open.
        (risk_checks.position, {"max_position": 500}, -1, {"position": 900, "pending": 0}, None),
        (
            risk_checks.position,
            {"max_position": 0},
            1,
            {"position": 0, "pending": 0},
            "POSITION_EXCEEDS_MAX",
        ),
        (risk_checks.opposite, {}, 1, {}, None),
        (risk_checks.opposite, {}, 1, {"opposing": D("100.06")}, None),
        (risk_checks.opposite, {}, 1, {"opposing": D("100.05")}, "OPPOSITE_ORDER_WORKING"),
        (risk_checks.opposite, {}, -1, {"opposing": D("100.04")}, None),
        (risk_checks.opposite, {}, -1, {"opposing": D("100.05")}, "OPPOSITE_ORDER_WORKING"),
        (risk_checks.duplicate, {}, 1, {"duplicate_of": "7"}, None),
        (risk_checks.duplicate, {"duplicate_seconds": 5.0}, 1, {}, None),
        (
            risk_checks.duplicate,
            {"duplicate_seconds": 5.0},
            1,
            {"duplicate_of": "7"},
            "DUPLICATE_ORDER",
        ),
        (risk_checks.open_orders, {}, 1, {}, None),
        (risk_checks.open_orders, {"max_open_orders": 2}, 1, {"open_orders": 2}, None),
        (
            risk_checks.open_orders,
            {"max_open_orders": 2},
            1,
            {"open_orders": 3},
            "OPEN_ORDERS_EXCEED_MAX",
        ),
        (risk_checks.open_orders, {"max_open_orders": 2}, 1, {}, "OPEN_ORDERS_UNKNOWN"),
        (risk_checks.repeated, {}, 1, {}, None),
        (risk_checks.repeated, {"max_orders_per_minute": 9}, 1, {"recent_orders": 9}, None),
        (
            risk_checks.repeated,
            {"max_orders_per_minute": 9},
            1,
            {"recent_orders": 10},
            "REPEATED_EXECUTION",
        ),
        (risk_checks.repeated, {"max_orders_per_minute": 9}, 1, {}, "ORDER_RATE_UNKNOWN"),
        (risk_checks.messages, {}, 1, {}, None),
        (risk_checks.messages, {"max_messages_per_minute": 9}, 1, {"recent_messages": 8}, None),
        (
            risk_checks.messages,
            {"max_messages_per_minute": 9},
            1,
            {"recent_messages": 9},
            "MESSAGE_RATE_EXCEEDED",
        ),
        (risk_checks.messages, {"max_messages_per_minute": 9}, 1, {}, "MESSAGE_RATE_UNKNOWN"),
        (risk_checks.daily_loss, {}, 1, {}, None),
        (risk_checks.daily_loss, {"max_daily_loss": D(100)}, 1, {"day_result": D(-100)}, None),
        (risk_checks.daily_loss, {"max_daily_loss": D(100)}, 1, {"day_result": D(5_000)}, None),
        (
            risk_checks.daily_loss,
            {"max_daily_loss": D(100)},
            1,
            {"day_result": D("-100.01")},
            "DAILY_LOSS",
        ),
        (risk_checks.daily_loss, {"max_daily_loss": D(100)}, 1, {}, "DAILY_LOSS_UNKNOWN"),
        (risk_checks.buying_power, {}, 1, {}, None),
        (risk_checks.buying_power, {"within_buying_power": True}, 1, {"unspent": D(10_005)}, None),
        (
            risk_checks.buying_power,
            {"within_buying_power": True},
            1,
            {"unspent": D("10_004.99")},
            "BUYING_POWER",
        ),
        (risk_checks.buying_power, {"within_buying_power": True}, 1, {}, "BUYING_POWER_UNKNOWN"),
        (risk_checks.buying_power, {"within_buying_power": True}, -1, {}, None),
        (risk_checks.heat, {}, 1, {}, None),
        (risk_checks.heat, {"max_portfolio_heat": D("0.02")}, 1, {}, "HEAT_UNKNOWN"),
        (
            risk_checks.heat,
            {"max_portfolio_heat": D("0.02")},
            1,
            {"heat": Heat(D("0.01"), D("0.02"))},
            None,
        ),
        (
            risk_checks.heat,
            {"max_portfolio_heat": D("0.02")},
            1,
            {"heat": Heat(D("0.01"), D("0.021"))},
            "HEAT_EXCEEDS_MAX",
        ),
        # Too hot already: what cools it may pass.
        (
            risk_checks.heat,
            {"max_portfolio_heat": D("0.02")},
            1,
            {"heat": Heat(D("0.05"), D("0.04"))},
            None,
        ),
        (risk_checks.adv_share, {"adv_required": True}, 1, {}, None),
    ],
)
def test_what_the_account_has_and_does_is_bounded(
    check: risk_checks.Check,
    bound: dict[str, Any],
    side_sign: int,
    known: dict[str, Any],
    code: str | None,
) -> None:
    facts = replace(FINE, side_sign=side_sign, exposure=Exposure(**known))
    denial = check(facts, replace(BOUNDS, **bound))
    assert (denial.code if denial else None) == code


def test_a_limit_that_somebody_set_denies_where_the_volume_is_unknown() -> None:
    facts = replace(FINE, average_daily_volume=None)
    denial = risk_checks.adv_share(facts, replace(BOUNDS, adv_required=True))
    assert str(denial) == "ADV_UNKNOWN: max=0.25"


STALE = NOW - timedelta(minutes=5)


def test_a_halt_that_is_told_counts_more_than_the_old_quote_that_comes_with_it() -> None:
    facts = replace(FINE, halted_since=STALE, halt_reason="news pending", quoted_at=STALE)
    denial = first_denial(risk_checks.CHILD_CHECKS, facts, BOUNDS)
    assert str(denial) == ("SYMBOL_HALTED: since=2026-11-23 09:55:00 ET, reason=news pending")
    assert "SYMBOL_HALTED" in risk_checks.PASSING


def test_a_parent_may_wait_for_the_end_of_a_halt() -> None:
    facts = replace(FINE, halted_since=NOW, halt_reason="volatility")
    assert first_denial(risk_checks.PARENT_CHECKS, facts, BOUNDS) is None


def test_a_parent_without_a_limit_is_compared_child_by_child() -> None:
    facts = replace(FINE, limit_price=None, exposure=Exposure(opposing=D(1)))
    assert risk_checks.opposite(facts, BOUNDS) is None


def test_a_denial_names_the_numbers_that_were_compared() -> None:
    denial = risk_checks.quantity(replace(FINE, quantity=2_000), BOUNDS)
    assert str(denial) == "QUANTITY_EXCEEDS_MAX: max=1000, quantity=2000"


def test_the_first_denial_of_the_table_counts() -> None:
    facts = replace(FINE, quantity=2_000, halts=(("SYSTEM", "HALTED"),))
    denial = first_denial(risk_checks.CHILD_CHECKS, facts, BOUNDS)
    assert denial is not None
    assert denial.code == "TRADING_HALTED"


@pytest.mark.parametrize("code", sorted(risk_checks.CODES))
def test_a_child_waits_where_something_is_unknown(code: str) -> None:
    # An account that the login does not have is a fact, told before anything is planned.
    if code.endswith(("_UNKNOWN", "_MISSING", "_STALE")) and code != "ACCOUNT_UNKNOWN":
        assert code in risk_checks.PASSING


def test_without_a_quote_a_child_is_told_that_and_no_doubt_about_its_value() -> None:
    facts = replace(FINE, bid=None, ask=None, quoted_at=None, price=None, limit_price=None)
    denial = risk_checks.first_denial(risk_checks.CHILD_CHECKS, facts, BOUNDS)
    assert denial is not None
    assert (denial.code, denial.code in risk_checks.PASSING) == ("QUOTE_MISSING", True)
