"""Rules about halts, late slices and the account: what each one finds."""

from datetime import timedelta

import pytest

from monitoring.alerting import alerts, system_rules
from monitoring.alerting.rules import AlertSeverity
from monitoring.clocks import Moment
from tests.unit.monitoring.healthy_orders import LIMITS, START, minutes

INFO, WARNING, CRITICAL = AlertSeverity


@pytest.mark.parametrize(
    ("scope", "state", "expected"),
    [
        ("SYSTEM", "HALTED", CRITICAL),
        ("ACCOUNT", "HALTED", CRITICAL),
        ("STRATEGY", "HALTED", WARNING),
        ("SYMBOL", "HALTED", WARNING),
        ("SYSTEM", "REDUCING", WARNING),
        ("SYSTEM", "ACTIVE", None),
    ],
)
def test_trading_halted(scope: str, state: str, expected: AlertSeverity | None) -> None:
    finding = system_rules.halted(
        scope=scope, key="", state=state, reason="drill", by="ann", since=START
    )
    assert (finding.severity if finding else None) == expected


@pytest.mark.parametrize(
    ("late", "expected"), [(10, None), (11, WARNING), (20, WARNING), (21, CRITICAL)]
)
def test_late_slices(late: int, expected: AlertSeverity | None) -> None:
    now = START + timedelta(seconds=late)
    finding = system_rules.late_slices(count=4, oldest_due=START, now=now, limits=LIMITS)
    assert (finding.severity if finding else None) == expected


@pytest.mark.parametrize(
    ("kind", "subject", "told_as", "expected"),
    [
        ("EXTERNAL_ORDER", "b-1", "EXTERNAL_ORDER", WARNING),
        ("POSITION", "AAPL", "BROKER_DIFFERENCE", CRITICAL),
        ("ORDER", "c-1", "BROKER_DIFFERENCE", CRITICAL),
        ("FILL", "c-1", "BROKER_DIFFERENCE", CRITICAL),
        ("CASH", "cash", "BROKER_DIFFERENCE", WARNING),
        ("CLOCK", "worrying", "BROKER_DIFFERENCE", WARNING),
        ("CLOCK", "stopping", "BROKER_DIFFERENCE", CRITICAL),
    ],
)
def test_differences_from_the_broker(
    kind: str, subject: str, told_as: str, expected: AlertSeverity
) -> None:
    finding = system_rules.differs(
        number=3, kind=kind, subject=subject, account="main", symbol="AAPL", words="70 more"
    )
    assert (finding.kind, finding.severity) == (told_as, expected)
    assert (finding.message, finding.key) == ("account main: 70 more", "BROKER_DIFFERENCE:3")


@pytest.mark.parametrize(
    ("kind", "typed"),
    [
        ("POSITION", "manage.py accept_break AAPL --account main --by NAME --reason WHY"),
        ("CASH", "manage.py reconcile main"),
        ("EXTERNAL_ORDER", "manage.py resume_trading --symbol AAPL --reason WHY"),
    ],
)
def test_the_alert_of_a_reconciliation_break_names_what_to_type_next(kind: str, typed: str) -> None:
    finding = system_rules.differs(
        number=3, kind=kind, subject="x", account="main", symbol="AAPL", words="70 more"
    )
    assert typed in alerts.unstored(finding, moment=Moment(now=START, real_now=START)).message


@pytest.mark.parametrize(
    ("scope", "key", "typed"),
    [
        ("SYSTEM", "", "resume_trading --reason"),
        ("SYMBOL", "AAPL", "resume_trading --symbol AAPL"),
        ("STRATEGY", "mean reversion", "resume_trading --strategy 'mean reversion'"),
    ],
)
def test_the_alert_of_a_halt_names_the_command_that_ends_it(
    scope: str, key: str, typed: str
) -> None:
    finding = system_rules.halted(
        scope=scope, key=key, state="HALTED", reason="drill", by="ann", since=START
    )
    assert finding is not None
    assert typed in finding.remedy


@pytest.mark.parametrize(
    ("late", "orders_wait", "expected"),
    [
        pytest.param(10, False, None, id="nobody waits"),
        pytest.param(10.1, False, WARNING, id="nobody waits, for long"),
        pytest.param(1 / 6, True, None, id="orders wait, one failure may pass by itself"),
        pytest.param(0.2, True, CRITICAL, id="orders wait"),
    ],
)
def test_an_account_that_cannot_be_compared(
    late: float, orders_wait: bool, expected: AlertSeverity | None
) -> None:
    finding = system_rules.not_compared(
        broker="ibkr",
        account="main",
        since=START,
        problem="TWS is away",
        orders_wait=orders_wait,
        now=minutes(late),
    )
    assert (finding.severity if finding else None) == expected
    assert finding is None or "TWS is away" in finding.message
