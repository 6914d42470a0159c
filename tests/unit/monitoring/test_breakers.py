"""When a circuit breaker trips, what it then holds, and what its alert says."""

from collections.abc import Iterator
from decimal import Decimal

import pytest

from deepstack.config import current
from deepstack.config_breakers import Breaker, Breakers
from monitoring import checks
from monitoring.breakers import rules
from monitoring.breakers.rules import Reading, Target

FULL = Reading("order_slippage", Decimal(30), "main", "AAPL", "momentum", 7)


def setting(threshold: str | None) -> Breaker:
    return Breaker(threshold=None if threshold is None else Decimal(threshold))


@pytest.mark.parametrize(
    ("name", "value", "threshold", "resumed_at", "trips"),
    [
        ("order_slippage", "29.9", "30", None, False),
        ("order_slippage", "30", "30", None, True),
        ("order_slippage", "1000", None, None, False),  # nobody set a threshold
        ("order_slippage", "-50", "30", None, False),  # better than arrival
        ("daily_loss", "2500", "2000", "2100", False),  # resumed: another threshold further
        ("daily_loss", "4100", "2000", "2100", True),
        ("symbol_slippage", "59", "30", "30", False),
        ("day_slippage", "60", "30", "30", True),
        ("runaway", "61", "60", "90", True),  # counted anew since the resume
        ("reject_rate", "0.5", "0.2", "0.9", True),
        ("stale_data", "31", "30", "45", True),
    ],
)
def test_when_it_trips(
    name: str, value: str, threshold: str | None, resumed_at: str | None, trips: bool
) -> None:
    reading = Reading(name, Decimal(value))
    before = None if resumed_at is None else Decimal(resumed_at)
    assert rules.trips(reading, setting(threshold), before) is trips


@pytest.mark.parametrize(
    ("action", "without", "held"),
    [
        ("PAUSE_ORDER", {}, ("ORDER", "7")),
        ("HALT_SYMBOL", {}, ("SYMBOL", "AAPL")),
        ("HALT_STRATEGY", {}, ("STRATEGY", "momentum")),
        ("HALT_STRATEGY", {"strategy": ""}, ("ACCOUNT", "main")),  # no narrower name: wider
        ("HALT_ACCOUNT", {}, ("ACCOUNT", "main")),
        ("HALT_ACCOUNT", {"account": ""}, ("SYSTEM", "")),
        ("HALT_ALL", {}, ("SYSTEM", "")),
    ],
)
def test_what_it_holds(action: str, without: dict[str, str], held: tuple[str, str]) -> None:
    known = {"account": "main", "symbol": "AAPL", "strategy": "momentum", **without}
    reading = Reading("order_slippage", Decimal(1), order_id=7, **known)  # type: ignore[arg-type]
    assert rules.target(reading, action) == Target(*held)


@pytest.mark.parametrize(
    ("scope", "key", "command"),
    [
        ("ORDER", "7", "manage.py resume 7 "),
        ("SYMBOL", "AAPL", "manage.py resume_trading --symbol AAPL --reason WHY"),
        ("STRATEGY", "mean rev", "resume_trading --strategy 'mean rev' --reason WHY"),
        ("SYSTEM", "", "manage.py resume_trading --reason WHY"),
    ],
)
def test_its_alert_names_the_command_that_ends_it(scope: str, key: str, command: str) -> None:
    told = rules.finding(
        number=3,
        name="runaway",
        held=Target(scope, key),
        measured="90 children",
        account="main",
        until="2026-03-02 11:00:00 ET",
    )
    assert command in told.remedy
    assert "not before 2026-03-02 11:00:00 ET" in told.remedy
    assert "runaway tripped: 90 children" in told.message


def test_every_breaker_has_words_and_no_threshold_of_its_own() -> None:
    settings = Breakers().by_name()
    assert set(settings) == set(rules.UNITS)
    assert {each.threshold for each in settings.values()} == {None}
    for name in settings:
        assert rules.shown(name, Decimal(1))


@pytest.mark.parametrize(("share", "said"), [("0.125", "12.5%"), ("0.5", "50%"), ("1", "100%")])
def test_a_share_is_said_as_it_was_set(share: str, said: str) -> None:
    assert rules.shown("reject_rate", Decimal(share)) == f"{said} of the children refused"


@pytest.fixture
def read_anew() -> Iterator[None]:
    current.cache_clear()
    yield
    current.cache_clear()


@pytest.mark.usefixtures("read_anew")
@pytest.mark.parametrize(
    ("mode", "set_to", "lacking"),
    [
        ("live", "60", set(rules.UNITS) - {"runaway"}),
        ("live", "", set(rules.UNITS)),
        ("paper", "", set()),
    ],
)
def test_live_trading_is_told_which_breakers_it_lacks(
    monkeypatch: pytest.MonkeyPatch, mode: str, set_to: str, lacking: set[str]
) -> None:
    monkeypatch.setenv("TRADING_MODE", mode)
    if set_to:
        monkeypatch.setenv("BREAKERS__RUNAWAY__THRESHOLD", set_to)
    told = "".join(each.msg for each in checks.live_trading_has_breakers(None))
    assert {name for name in rules.UNITS if name in told} == lacking
