"""What Alpaca's trading statuses mean: the codes of the tapes A and B, and of C."""

from datetime import UTC, datetime
from typing import Any

import msgpack
import pytest

from execution.broker.alpaca.trading_status import report_of
from execution.market.halt_reports import HaltReport

AT = datetime(2026, 11, 20, 15, 0, 1, 250_000, tzinfo=UTC)


def status(code: str, **more: object) -> dict[str, Any]:
    said = {"T": "s", "S": "AAPL", "sc": code, "t": msgpack.Timestamp.from_datetime(AT)}
    return said | {"sm": "Trading Halt", "rc": "T1", "rm": "Halt News Pending", "z": "C"} | more


@pytest.mark.parametrize(
    ("code", "halted"),
    [
        ("H", True),
        ("P", True),
        ("T", False),
        ("2", True),
        ("3", False),
        ("Q", None),  # quotes resume before trading does
        ("5", None),
        ("7", None),
        ("A", None),
        ("E", None),
        ("F", None),
        ("?", None),
    ],
)
def test_a_status_halts_resumes_or_does_neither(code: str, halted: bool | None) -> None:
    report = report_of(status(code))
    assert (report and report.halted) == halted


def test_a_halt_says_when_and_why() -> None:
    assert report_of(status("H")) == HaltReport(
        "AAPL", AT, halted=True, reason="Trading Halt: Halt News Pending (T1)"
    )
    assert report_of(status("H", sm="a\0b", rc="", rm="")) == HaltReport(
        "AAPL", AT, halted=True, reason="ab"
    )
    bare = status("H", sm="", rc="", rm="", t="2026-11-20T10:00:01.25-05:00")
    assert report_of(bare) == HaltReport("AAPL", AT, halted=True, reason="")


@pytest.mark.parametrize(
    ("code", "reason", "level"),
    [
        ("2", "1", 1),
        ("2", "3", 3),
        ("H", "MWC2", 2),
        ("H", "MWC0", None),  # of the symbol, left over from the day before
        ("H", "LUDP", None),
        ("2", "M", None),
        ("3", "1", None),
    ],
)
def test_the_circuit_breaker_of_the_market_halts_every_symbol(
    code: str, reason: str, level: int | None
) -> None:
    report = report_of(status(code, rc=reason))
    assert report is not None
    assert report.level == level


@pytest.mark.parametrize(
    "wrong",
    [
        {"t": "2026-11-20T10:00:01"},
        {"t": None},
        {"t": "soon"},
        {"S": None},
        {"S": "*"},
        {"S": "A" * 17},
    ],
)
def test_a_status_that_cannot_be_read_is_no_halt_of_another(wrong: dict[str, object]) -> None:
    with pytest.raises((KeyError, ValueError, TypeError, AttributeError)):
        report_of(status("H", **wrong))
