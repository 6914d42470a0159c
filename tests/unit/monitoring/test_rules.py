"""The alert rules, one table each: the facts that differ from a quiet order, and what is found."""

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from deepstack.config import ROOT
from execution.domain.lifecycle import OrderStatus as O
from monitoring.alerting import rules
from monitoring.alerting.rules import AlertSeverity, ExecutionFacts, Thresholds
from tests.unit.monitoring.healthy_orders import FILLED, LIMITS, WORKING, minutes, severity_of

D = Decimal

INFO, WARNING, CRITICAL = AlertSeverity


@pytest.mark.parametrize("facts", [FILLED, WORKING], ids=["filled", "working"])
def test_a_quiet_order_alerts_nobody(facts: ExecutionFacts) -> None:
    assert rules.judge(facts, LIMITS) == []


@pytest.mark.parametrize(
    ("facts", "changes", "expected"),
    [
        pytest.param(FILLED, {"slippage_bps": D(20)}, None, id="at the threshold"),
        pytest.param(FILLED, {"slippage_bps": D("20.01")}, WARNING, id="above it"),
        pytest.param(FILLED, {"slippage_bps": D(40)}, WARNING, id="at twice the threshold"),
        pytest.param(FILLED, {"slippage_bps": D("40.01")}, CRITICAL, id="above twice"),
        pytest.param(FILLED, {"slippage_bps": D(-500)}, None, id="an improvement, however large"),
        pytest.param(FILLED, {"slippage_bps": None}, None, id="no quote at arrival"),
        pytest.param(WORKING, {"slippage_bps": D(30)}, WARNING, id="live, half filled"),
        pytest.param(WORKING, {"slippage_bps": D(30), "filled": 249}, None, id="live, just begun"),
        pytest.param(
            FILLED,
            {"slippage_bps": D(30), "filled": 10, "status": O.EXPIRED},
            WARNING,
            id="over after its first shares",
        ),
    ],
)
def test_slippage(
    facts: ExecutionFacts, changes: Mapping[str, Any], expected: AlertSeverity | None
) -> None:
    assert severity_of(rules.slippage, facts, changes) == expected


NOTHING = {"filled": 0, "failed_today": 3}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({**NOTHING, "status": O.DENIED}, WARNING, id="refused by us"),
        pytest.param({**NOTHING, "status": O.REJECTED}, WARNING, id="refused by the broker"),
        pytest.param({**NOTHING, "status": O.EXPIRED}, WARNING, id="over with nothing"),
        pytest.param({**NOTHING, "status": O.EXPIRED, "filled": 1}, None, id="over with a share"),
        pytest.param({**NOTHING, "status": O.CANCELLED}, None, id="cancelled on purpose"),
        pytest.param({"status": O.FILLED, "failed_today": 9}, None, id="success after failures"),
        pytest.param({**NOTHING, "status": O.DENIED, "failed_today": 2}, None, id="one too few"),
        pytest.param({**NOTHING, "status": O.DENIED, "failed_today": 5}, WARNING, id="five"),
        pytest.param({**NOTHING, "status": O.DENIED, "failed_today": 6}, CRITICAL, id="twice"),
        pytest.param({**NOTHING, "status": O.DENIED, "failed_today": None}, None, id="uncounted"),
    ],
)
def test_failed_orders(changes: Mapping[str, Any], expected: AlertSeverity | None) -> None:
    assert severity_of(rules.failed_orders, FILLED, changes) == expected


def test_failed_orders_are_one_alert_a_day_for_each_account_and_strategy() -> None:
    failed = replace(FILLED, status=O.DENIED, filled=0, failed_today=3)
    keys = {
        finding.key
        for changes in (
            {},
            {"order_id": 8, "failed_today": 4},
            {"strategy": "other"},
            {"account": "second"},
            {"day": "2026-03-03"},
        )
        if (finding := rules.failed_orders(replace(failed, **changes), LIMITS))
    }
    assert len(keys) == 4


@pytest.mark.parametrize(
    ("facts", "changes", "expected"),
    [
        pytest.param(FILLED, {"finished_at": minutes(90)}, None, id="one and a half windows"),
        pytest.param(FILLED, {"finished_at": minutes(91)}, WARNING, id="longer than that"),
        pytest.param(FILLED, {"finished_at": minutes(181)}, CRITICAL, id="three windows"),
        pytest.param(WORKING, {"now": minutes(60.5)}, None, id="live, cancels being confirmed"),
        pytest.param(WORKING, {"now": minutes(60.6)}, WARNING, id="live past its end"),
        pytest.param(
            WORKING, {"now": minutes(60.6), "status": O.PAUSED}, WARNING, id="paused past its end"
        ),
        pytest.param(WORKING, {"now": minutes(181)}, CRITICAL, id="live after three windows"),
        pytest.param(
            FILLED,
            {"status": O.DENIED, "finished_at": None, "now": minutes(999)},
            None,
            id="denied: it never began",
        ),
        pytest.param(
            WORKING, {"status": O.ACCEPTED, "filled": 0, "now": minutes(-60)}, None, id="to come"
        ),
    ],
)
def test_slow_execution(
    facts: ExecutionFacts, changes: Mapping[str, Any], expected: AlertSeverity | None
) -> None:
    assert severity_of(rules.slow_execution, facts, changes) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({"market_vwap": D(150) / D("1.01")}, None, id="just inside"),
        pytest.param({"average_price": D("151.51")}, WARNING, id="dearer"),
        pytest.param({"average_price": D("148.49")}, WARNING, id="cheaper, too"),
        pytest.param({"average_price": D("153.01")}, CRITICAL, id="twice as far"),
        pytest.param({"market_vwap": None}, None, id="the market is silent"),
        pytest.param({"average_price": None}, None, id="nothing executed"),
    ],
)
def test_vwap_deviation(changes: Mapping[str, Any], expected: AlertSeverity | None) -> None:
    assert severity_of(rules.vwap_deviation, FILLED, changes) == expected


FOUR_TIMES = replace(LIMITS, vwap_multiple=D(4))

OF_VWAP = replace(FOUR_TIMES, deviation_of_vwap_orders=D("0.002"))

TEN_BPS = {"typical_vwap_deviation_bps": 10.0}


@pytest.mark.parametrize(
    ("limits", "changes", "expected"),
    [
        pytest.param(FOUR_TIMES, {"average_price": D("150.60"), **TEN_BPS}, None, id="usual"),
        pytest.param(FOUR_TIMES, {"average_price": D("150.61"), **TEN_BPS}, WARNING, id="not"),
        pytest.param(FOUR_TIMES, {"average_price": D("149.39"), **TEN_BPS}, WARNING, id="nor that"),
        pytest.param(FOUR_TIMES, {"average_price": D("151.21"), **TEN_BPS}, CRITICAL, id="twice"),
        pytest.param(
            FOUR_TIMES,
            {"average_price": D("152"), "typical_vwap_deviation_bps": 40.0},
            None,
            id="a wild symbol may be further away than the constant",
        ),
        pytest.param(
            FOUR_TIMES, {"average_price": D("151.50")}, None, id="nothing learned: the constant"
        ),
        pytest.param(
            FOUR_TIMES, {"average_price": D("151.51")}, WARNING, id="nothing learned: beyond it"
        ),
        pytest.param(
            LIMITS, {"average_price": D("151.50"), **TEN_BPS}, None, id="no multiple: the constant"
        ),
        pytest.param(
            FOUR_TIMES,
            {"average_price": D("150.31"), "asked_vwap_deviation": D("0.002"), **TEN_BPS},
            WARNING,
            id="the order asks for less",
        ),
        pytest.param(
            FOUR_TIMES,
            {"average_price": D("151.00"), "asked_vwap_deviation": D("0.02"), **TEN_BPS},
            None,
            id="the order asks for more",
        ),
        pytest.param(
            FOUR_TIMES,
            {"average_price": D("150.01"), "typical_vwap_deviation_bps": 0.0},
            None,
            id="a price that never moved: the constant",
        ),
        pytest.param(OF_VWAP, {"average_price": D("150.31")}, None, id="another algorithm"),
        pytest.param(
            OF_VWAP, {"average_price": D("150.31"), "algorithm": "VWAP"}, WARNING, id="its own"
        ),
        pytest.param(
            OF_VWAP,
            {"average_price": D("150.31"), "algorithm": "VWAP", **TEN_BPS},
            None,
            id="VWAP, and the usual is known",
        ),
    ],
)
def test_the_vwap_threshold_is_the_orders_the_symbols_or_that_of_all(
    limits: Thresholds, changes: Mapping[str, Any], expected: AlertSeverity | None
) -> None:
    finding = rules.vwap_deviation(replace(FILLED, **changes), limits)
    assert (finding.severity if finding else None) == expected


def test_the_message_says_which_threshold_it_was() -> None:
    far = replace(FILLED, average_price=D("151.21"), typical_vwap_deviation_bps=10.0)
    finding = rules.vwap_deviation(far, FOUR_TIMES)
    assert finding is not None
    assert finding.message.endswith("beyond 0.40%, 4 times what is typical of the symbol")
    assert finding.data["typical_deviation_bps"] == 10.0


@pytest.mark.parametrize(
    ("rule", "changes", "expected"),
    [
        pytest.param(rules.overfilled, {"filled": 1_000}, None, id="exactly filled"),
        pytest.param(rules.overfilled, {"filled": 1_001}, CRITICAL, id="a share too many"),
        pytest.param(
            rules.unknown_outcome, {"unknown_since": minutes(29)}, None, id="unknown a minute ago"
        ),
        pytest.param(
            rules.unknown_outcome, {"unknown_since": minutes(28.9)}, CRITICAL, id="for longer"
        ),
        pytest.param(rules.broker_rejects, {"rejected_children": 2}, None, id="two refusals"),
        pytest.param(rules.broker_rejects, {"rejected_children": 3}, WARNING, id="three"),
        pytest.param(rules.broker_rejects, {"rejected_children": 6}, CRITICAL, id="six"),
        pytest.param(rules.paused, {"status": O.PAUSED}, WARNING, id="waits for a person"),
        pytest.param(rules.paused, {"status": O.CANCELLING}, None, id="is being cancelled"),
    ],
)
def test_orders_that_need_a_person(
    rule: rules.Rule, changes: Mapping[str, Any], expected: AlertSeverity | None
) -> None:
    assert severity_of(rule, WORKING, changes) == expected


def test_a_finding_keeps_its_key_when_it_escalates() -> None:
    findings = [
        rules.slippage(replace(FILLED, slippage_bps=cost), LIMITS)
        for cost in (D(25), D(30), D(41), D(80))
    ]
    assert len({finding.key for finding in findings if finding}) == 1


def test_a_finding_names_the_order_and_its_numbers() -> None:
    finding = rules.slippage(replace(FILLED, slippage_bps=D("45.678")), LIMITS)
    assert finding is not None
    assert finding.message == (
        "order 7 BUY 1,000 AAPL TWAP: slippage 45.7 bps against the arrival mid, above 20 bps"
    )
    assert finding.data["slippage_bps"] == "45.6780"
    assert (finding.order_id, finding.account) == (7, "main")


def test_a_figure_just_beyond_its_threshold_is_not_shown_as_the_threshold() -> None:
    slip = rules.slippage(replace(FILLED, slippage_bps=D("20.004")), LIMITS)
    assert slip is not None
    assert "slippage 20.004 bps against the arrival mid, above 20 bps" in slip.message
    changes = {"average_price": D("101.0004"), "market_vwap": D(100)}
    far = rules.vwap_deviation(
        replace(FILLED, **changes, asked_vwap_deviation=D("0.01")),  # type: ignore[arg-type]
        LIMITS,
    )
    assert far is not None
    assert "is +1.0004% from the market VWAP 100.0000, beyond 1.00%, as the order asks" in (
        far.message
    )


PURE = ["alerting.rules", "alerting.system_rules"] + [
    f"reporting.{name}" for name in ("tca", "aggregates", "quality_score")
]


@pytest.mark.parametrize("module", PURE)
def test_what_judges_knows_neither_django_nor_celery(module: str) -> None:
    script = (
        f"import sys, monitoring.{module}\n"
        "print(sorted({'django', 'celery', 'redis', 'psycopg'} & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
