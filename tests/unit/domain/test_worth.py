"""What a share of an order is worth for every bound on value, and which decision price is no price
of the market."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal as D
from typing import Any

import pytest

from execution.domain import risk_checks
from tests.unit.domain.test_checks import BOUNDS, FINE, NOW

BUY = replace(FINE, bid=D(145), ask=D(146), price=None, limit_price=None)
OLD = NOW - timedelta(minutes=5)


@pytest.mark.parametrize(
    ("word", "change", "worth"),
    [
        ("a purchase pays the ask", {}, 146),
        ("a sale gets the bid", {"side_sign": -1}, 145),
        ("a decision a little above the market", {"decision_price": D(150)}, 150),
        ("a decision a little below it", {"decision_price": D(140)}, 146),
        ("a mistyped decision", {"decision_price": D("1.5")}, 146),
        ("a decision a thousand times the market", {"decision_price": D(145_000)}, 146),
        ("a limit beyond the market", {"limit_price": D(150)}, 150),
        ("an absurd limit to buy", {"limit_price": D(145_000)}, 145_000),
        ("a patient limit to buy", {"limit_price": D("1.5")}, 146),
        ("an absurd limit to sell", {"side_sign": -1, "limit_price": D("0.01")}, 145),
        ("a patient limit to sell", {"side_sign": -1, "limit_price": D(200)}, 200),
        ("what the broker may pay", {"protective_price": D("152.77")}, D("152.77")),
        ("no quote, a decision", {"bid": None, "ask": None, "decision_price": D(150)}, 150),
        ("no quote, a limit", {"bid": None, "ask": None, "limit_price": D(150)}, 150),
        ("no price at all", {"bid": None, "ask": None}, None),
        ("one side of the quote is missing", {"bid": None}, None),
        ("a side of zero", {"bid": D(0)}, None),
        ("an old quote is the last that is known", {"quoted_at": OLD}, 146),
        (
            "an old quote and a mistyped decision",
            {"quoted_at": OLD, "decision_price": D("1.5")},
            146,
        ),
        (
            "an old quote and a higher decision",
            {"quoted_at": OLD, "decision_price": D(300)},
            300,
        ),
        ("a crossed market counts at its higher side", {"bid": D(147)}, 147),
        ("the same of a sale", {"bid": D(147), "side_sign": -1}, 147),
        ("a stub quote says nothing", {"bid": D("0.01"), "ask": D(199_999)}, None),
        ("below a dollar", {"bid": D("0.4565"), "ask": D("0.4567")}, D("0.4567")),
    ],
)
def test_the_worst_price_counts(word: str, change: dict[str, Any], worth: D | int | None) -> None:
    assert risk_checks.worth(replace(BUY, **change), BOUNDS) == worth


OFF = "DECISION_PRICE_OFF_MARKET"


@pytest.mark.parametrize(
    ("word", "decision", "change", "code"),
    [
        ("none", None, {}, None),
        ("inside the spread", "145.5", {}, None),
        ("3 % below", "141", {}, None),
        ("3 % above", "150", {}, None),
        ("at the edge below", "130.5", {}, None),
        ("beyond the edge below", "130.49", {}, OFF),
        ("at the edge above", "160.6", {}, None),
        ("beyond the edge above", "160.61", {}, OFF),
        ("a slip of the decimal point", "1.458", {}, OFF),
        ("in cents", "14550", {}, OFF),
        ("of a sale as well", "1.5", {"side_sign": -1}, OFF),
        ("an old quote is no fact", "1.5", {"quoted_at": OLD}, None),
        ("a crossed one is none", "1.5", {"bid": D(147)}, None),
        ("a wide one is none", "1.5", {"ask": D(199_999)}, None),
        ("a halted symbol has no price", "1.5", {"halted_since": NOW}, None),
        ("no quote", "1.5", {"bid": None, "ask": None}, None),
        ("below a dollar, one tick away", "0.0012", {"bid": D("0.0010"), "ask": D("0.0011")}, None),
        ("below a dollar, far away", "0.0013", {"bid": D("0.0010"), "ask": D("0.0011")}, OFF),
    ],
)
def test_a_decision_price_off_the_market_is_refused(
    word: str, decision: str | None, change: dict[str, Any], code: str | None
) -> None:
    price = None if decision is None else D(decision)
    bounds = replace(BOUNDS, max_spread_bps=D(2_000)) if "dollar" in word else BOUNDS
    denial = risk_checks.decision_price(replace(BUY, decision_price=price, **change), bounds)
    assert (denial.code if denial else None) == code


def test_the_denial_names_both_prices_and_the_collar() -> None:
    denial = risk_checks.decision_price(replace(BUY, decision_price=D("0.150000")), BOUNDS)
    assert str(denial) == (
        "DECISION_PRICE_OFF_MARKET: max=0.10, off=0.9990, decision_price=0.15, bid=145, ask=146"
    )


@pytest.mark.parametrize(
    ("word", "would", "change", "refused"),
    [
        ("none", None, {}, False),
        ("a dip to buy", "130", {}, False),
        ("a dip that never comes", "1.5", {}, False),
        ("at the ask", "146", {}, False),
        ("at the edge above", "160.6", {}, False),
        ("beyond the edge above", "160.61", {}, True),
        ("a slip of the decimal point", "1460", {}, True),
        ("a peak to sell at", "1460", {"side_sign": -1}, False),
        ("at the edge below, to sell", "130.5", {"side_sign": -1}, False),
        ("beyond the edge below, to sell", "130.49", {"side_sign": -1}, True),
        ("an old quote is no fact", "1460", {"quoted_at": OLD}, False),
        ("a halted symbol has no price", "1460", {"halted_since": NOW}, False),
        ("no quote", "1460", {"bid": None, "ask": None}, False),
    ],
)
def test_a_would_price_that_has_all_taken_at_once_is_refused(
    word: str, would: str | None, change: dict[str, Any], refused: bool
) -> None:
    price = None if would is None else D(would)
    denial = risk_checks.would_price(replace(BUY, would_price=price, **change), BOUNDS)
    assert (denial.code if denial else None) == ("WOULD_PRICE_OFF_MARKET" if refused else None)


@pytest.mark.parametrize("decision", ["1.5", "146", "150000", None])
def test_a_mistyped_price_is_denied_like_the_right_one(decision: str | None) -> None:
    price = None if decision is None else D(decision)
    facts = replace(BUY, quantity=1_000, decision_price=price)
    facts = replace(facts, price=risk_checks.worth(facts, BOUNDS))
    denial = risk_checks.first_fact(risk_checks.PARENT_CHECKS, facts, BOUNDS)
    assert str(denial) == "NOTIONAL_EXCEEDS_MAX: max=50000, notional=146000.00"


@pytest.mark.parametrize(
    ("word", "change", "bound", "waits"),
    [
        ("nothing is known of the price", {"bid": None, "ask": None}, {}, ["PRICE_UNKNOWN"]),
        (
            "a limit without a quote",
            {"bid": None, "ask": None, "limit_price": D(150), "price": D(150)},
            {},
            ["QUOTE_MISSING"],
        ),
        (
            "a limit far from an old quote",
            {"quoted_at": OLD, "limit_price": D(190), "price": D(190)},
            {},
            ["PRICE_OUTSIDE_COLLAR"],
        ),
        ("a mark is missing", {"price": D(1)}, {"max_daily_loss": D(100)}, ["DAILY_LOSS_UNKNOWN"]),
        (
            "the broker is silent",
            {"price": D(1)},
            {"within_buying_power": True},
            ["BUYING_POWER_UNKNOWN"],
        ),
        (
            "no volatility yet",
            {"price": D(1)},
            {"max_portfolio_heat": D("0.02"), "equity": D(100)},
            ["HEAT_UNKNOWN"],
        ),
    ],
)
def test_a_parent_waits_for_what_is_not_known_yet(
    word: str, change: dict[str, Any], bound: dict[str, Any], waits: list[str]
) -> None:
    facts, bounds = replace(BUY, **change), replace(BOUNDS, **bound)
    assert risk_checks.first_fact(risk_checks.PARENT_CHECKS, facts, bounds) is None
    found = risk_checks.unknowns(risk_checks.PARENT_CHECKS, facts, bounds)
    assert [denial.code for denial in found] == waits
    assert set(waits) <= risk_checks.PASSING  # its children wait, too


@pytest.mark.parametrize(
    ("word", "change", "bound", "code"),
    [
        ("too much is too much", {"quantity": 1_001}, {}, "QUANTITY_EXCEEDS_MAX"),
        (
            "the caller left the volume out",
            {"price": D(1), "average_daily_volume": None},
            {"adv_required": True},
            "ADV_UNKNOWN",
        ),
        (
            "nobody has told the equity",
            {"price": D(1)},
            {"max_portfolio_heat": D("0.02")},
            "HEAT_UNKNOWN",
        ),
    ],
)
def test_no_doubt_hides_a_fact(
    word: str, change: dict[str, Any], bound: dict[str, Any], code: str
) -> None:
    denial = risk_checks.first_fact(
        risk_checks.PARENT_CHECKS, replace(BUY, **change), replace(BOUNDS, **bound)
    )
    assert denial is not None
    assert denial.code == code
