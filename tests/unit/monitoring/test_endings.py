"""What ends an alert of each kind, and what its text tells a person to do."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from execution.domain.lifecycle import OrderStatus as O
from monitoring.alerting import endings, rules, system_rules
from monitoring.alerting.alert_kinds import ABOUT, OF_ORDERS, AlertKind
from monitoring.alerting.rules import AlertSeverity
from tests.unit.monitoring.healthy_orders import FILLED, LIMITS, START, WORKING, minutes

D = Decimal
INFO, WARNING, CRITICAL = AlertSeverity
UNKNOWN = minutes(10)
DEAR = replace(FILLED, slippage_bps=D(30))
FAR = replace(FILLED, average_price=D("152"))
LATE = replace(WORKING, now=minutes(61))
PAUSED = replace(WORKING, status=O.PAUSED, pause=4)
BEHIND = replace(WORKING, filled=100, scheduled=400)
SHORT = replace(FILLED, status=O.EXPIRED, filled=600)


def test_every_kind_says_what_ends_it_and_what_to_do() -> None:
    assert set(ABOUT) == set(AlertKind)
    assert set(endings.OVER) == OF_ORDERS
    for about in ABOUT.values():
        assert about.ends
        assert about.remedy.endswith(".")


@pytest.mark.parametrize(
    ("kind", "remedies"),
    [
        ("SLIPPAGE", ["time window", "number of slices", "VWAP instead of TWAP", "liquidity"]),
        ("SLOW_EXECUTION", ["Reduce the time window", "slices", "TWAP instead of VWAP", "market"]),
        ("FAILED_ORDERS", ["connectivity", "buying power", "market hours", "risk limits"]),
        ("VWAP_DEVIATION", ["volume profile", "slice count", "low-liquidity", "TWAP"]),
    ],
)
def test_the_guides_remedies_are_in_the_alerts(kind: str, remedies: list[str]) -> None:
    remedy = " ".join(ABOUT[AlertKind(kind)].remedy.split())
    assert [each for each in remedies if each not in remedy] == []


@pytest.mark.parametrize(
    ("kind", "told", "changes", "over"),
    [
        ("SLIPPAGE", DEAR, {"slippage_bps": D(20)}, True),
        ("SLIPPAGE", DEAR, {"slippage_bps": None}, False),
        ("SLIPPAGE", DEAR, {"filled": 10, "slippage_bps": D(30)}, False),
        ("VWAP_DEVIATION", FAR, {"average_price": D("150.5")}, True),
        ("VWAP_DEVIATION", FAR, {"market_vwap": None}, False),
        ("SLOW_EXECUTION", LATE, {"status": O.FILLED, "finished_at": minutes(62)}, True),
        ("SLOW_EXECUTION", LATE, {"now": minutes(70)}, False),
        ("OVERFILLED", replace(FILLED, filled=1_001), {"filled": 1_000}, True),
        ("OVERFILLED", replace(FILLED, filled=1_009), {"filled": 1_001}, False),
        ("UNKNOWN_OUTCOME", replace(WORKING, unknown_since=UNKNOWN), {"unknown_since": None}, True),
        (
            "UNKNOWN_OUTCOME",
            replace(WORKING, unknown_since=UNKNOWN),
            {"unknown_since": UNKNOWN + timedelta(minutes=19.5)},
            True,
        ),
        ("UNKNOWN_OUTCOME", replace(WORKING, unknown_since=UNKNOWN), {}, False),
        ("PAUSED", PAUSED, {"status": O.WORKING}, True),
        ("PAUSED", PAUSED, {"status": O.CANCELLED}, True),
        ("PAUSED", PAUSED, {"pause": 9}, True),
        ("PAUSED", PAUSED, {}, False),
        ("BEHIND_SCHEDULE", BEHIND, {"filled": 360}, True),
        ("BEHIND_SCHEDULE", BEHIND, {"filled": 320}, False),
        ("BEHIND_SCHEDULE", BEHIND, {"scheduled": None}, False),
        ("BEHIND_SCHEDULE", BEHIND, {"status": O.EXPIRED}, True),
        ("BEHIND_SCHEDULE", BEHIND, {"halted": True}, False),
        ("INCOMPLETE", SHORT, {"filled": 1_000}, True),
        ("INCOMPLETE", SHORT, {"filled": 700}, False),
    ],
)
def test_what_ends_an_alert_about_an_order(
    kind: str, told: rules.ExecutionFacts, changes: Mapping[str, Any], over: bool
) -> None:
    finding = next(each for each in rules.judge(told, LIMITS) if each.kind == kind)
    later = replace(told, **changes)
    found = {each.key for each in rules.judge(later, LIMITS)}
    ended = finding.key not in found and endings.is_over(
        kind, finding.key, finding.data, later, LIMITS
    )
    assert ended == over


def test_an_alert_of_a_tighter_threshold_ends_by_that_threshold() -> None:
    tight = replace(LIMITS, slippage_bps=D(5))
    finding = rules.slippage(replace(FILLED, slippage_bps=D(8)), tight)
    assert finding is not None
    still = replace(FILLED, slippage_bps=D(7))
    assert not endings.is_over("SLIPPAGE", finding.key, finding.data, still, LIMITS)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({"scheduled": 500, "filled": 400}, None, id="at the threshold"),
        pytest.param({"scheduled": 500, "filled": 399}, WARNING, id="more than a tenth behind"),
        pytest.param({"scheduled": 500, "filled": 299}, CRITICAL, id="more than a fifth"),
        pytest.param({"scheduled": 500, "filled": 600}, None, id="ahead"),
        pytest.param({"scheduled": None, "filled": 0}, None, id="no slice is over yet"),
        pytest.param({"scheduled": 500, "filled": 0, "halted": True}, None, id="a halt tells it"),
        pytest.param({"scheduled": 500, "filled": 0, "status": O.PAUSED}, None, id="paused"),
        pytest.param({"scheduled": 1_000, "filled": 0, "status": O.EXPIRED}, None, id="over"),
    ],
)
def test_an_order_behind_its_schedule(
    changes: Mapping[str, Any], expected: AlertSeverity | None
) -> None:
    finding = rules.behind_schedule(replace(WORKING, **changes), LIMITS)
    assert (finding.severity if finding else None) == expected


@pytest.mark.parametrize(
    ("filled", "threshold", "said"),
    [
        (399, "0.10", "10.1% of the order behind, more than 10%"),
        (200, "0.1", "30% of the order behind, more than 10%"),
        (424, "0.075", "8% of the order behind, more than 7.5%"),
    ],
)
def test_what_is_said_of_a_schedule_is_true(filled: int, threshold: str, said: str) -> None:
    limits = replace(LIMITS, behind_schedule=D(threshold))
    finding = rules.behind_schedule(replace(WORKING, scheduled=500, filled=filled), limits)
    assert finding is not None
    assert said in finding.message


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("400 of 1,000 not executed: X", "EXPIRED: 400 of 1,000 not executed: X"),
        ("late fill", "EXPIRED with 400 of 1,000 shares not executed: late fill"),
        ("", "EXPIRED with 400 of 1,000 shares not executed"),
    ],
)
def test_an_alert_says_once_how_many_shares_were_not_executed(reason: str, said: str) -> None:
    finding = rules.incomplete(replace(SHORT, reason=reason), LIMITS)
    assert finding is not None
    assert finding.message.endswith(said)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({"status": O.EXPIRED, "filled": 999}, WARNING, id="one share is missing"),
        pytest.param({"status": O.EXPIRED, "filled": 499}, CRITICAL, id="most of it is missing"),
        pytest.param({"status": O.EXPIRED, "filled": 0}, CRITICAL, id="nothing executed"),
        pytest.param({"status": O.REJECTED, "filled": 0}, CRITICAL, id="refused by the broker"),
        pytest.param({"status": O.CANCELLED, "filled": 0}, None, id="cancelled by a person"),
        pytest.param({"status": O.DENIED, "filled": 0}, None, id="it never began"),
        pytest.param({"status": O.EXPIRED, "filled": 1_000}, None, id="nothing is missing"),
        pytest.param(
            {"status": O.EXPIRED, "filled": 0, "algorithm": "LIMIT"}, CRITICAL, id="a limit order"
        ),
    ],
)
def test_an_order_that_ended_with_a_rest(
    changes: Mapping[str, Any], expected: AlertSeverity | None
) -> None:
    cause = "38,138 of 60,000 not executed: the participation cap"
    finding = rules.incomplete(replace(FILLED, reason=cause, **changes), LIMITS)
    assert (finding.severity if finding else None) == expected
    assert finding is None or cause in finding.message


@pytest.mark.parametrize(
    ("cause", "expected"),
    [
        ("the market did not come to the limit of 150", INFO),
        ("worked until its slice window ended and was not filled", INFO),
        ("HALTED from 10:00 to 15:00 ET, SYSTEM by ann: drill", CRITICAL),
        ("the broker could not be reached (connection refused)", CRITICAL),
        ("held back as the day's loss is at its limit (DAILY_LOSS_EXCEEDS_MAX)", CRITICAL),
        ("refused by the broker (201: margin)", CRITICAL),
    ],
)
def test_a_limit_order_that_something_held_back_is_no_matter_of_its_price(
    cause: str, expected: AlertSeverity
) -> None:
    ended = replace(FILLED, status=O.EXPIRED, filled=0, algorithm="LIMIT")
    finding = rules.incomplete(replace(ended, reason=f"10 of 10 not executed: {cause}"), LIMITS)
    assert finding is not None
    assert finding.severity == expected


@pytest.mark.parametrize(
    ("refused", "seconds", "told"), [(True, 0, True), (False, 60, False), (False, 61, True)]
)
def test_a_channel_that_fails(refused: bool, seconds: int, told: bool) -> None:
    finding = system_rules.delivery_failed(
        channel="webhook",
        since=START,
        refused=refused,
        failures=3,
        problem="HTTP 400 Bad Request",
        now=START + timedelta(seconds=seconds),
    )
    assert (finding is not None) == told
    assert finding is None or "HTTP 400 Bad Request" in finding.message


def test_each_loss_of_the_broker_is_told_for_itself() -> None:
    def down(minute: int, *, live: bool = True) -> rules.Finding:
        return system_rules.broker_down(
            broker="alpaca",
            address="https://paper",
            since=minutes(minute),
            problem="no route",
            live_orders=live,
        )

    assert down(0).key == down(0, live=False).key != down(5).key
    assert (down(0).severity, down(0, live=False).severity) == (CRITICAL, WARNING)
    assert "2026-03-02 10:00:00 ET: no route" in down(0).message
