"""`make demo BROKER=...`: the guide's scenarios on the live path, before there is a key."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.long_run import played

DEADLINE = 170.0  # seconds, everything included; on an idle machine a third of it will do
ORDERS = (33, 150, 4000)  # shares of the guide's three

pytestmark = [pytest.mark.timeout(DEADLINE + 60), pytest.mark.any_date]


def demonstrate(broker: str) -> str:
    """What it prints; it must end by itself, with exit code 0."""
    words = ("demo", "--broker", broker, "--minutes", "0.2")
    code, said = played("deepstack.local.stack", *words, patience=DEADLINE)
    assert code == 0, said
    return said


def log_of(said: str) -> Path:
    (path,) = re.findall(r"traded with a simulator of .*: (/\S+)", said)
    return Path(path)


def lines(log: Path) -> Iterator[dict[str, Any]]:
    yield from map(json.loads, log.read_text().splitlines())


def left_over(log: Path) -> list[str]:
    """Processes of the run whose log this is: each prints into a file of its folder."""
    run = log.parent.parent
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if any(run in Path(file.path).parents for file in process.open_files()):
                found.append(" ".join(process.cmdline()))
    return found


def assert_it_traded_with_the_simulator(said: str) -> Path:
    assert "BUT A SIMULATOR OF IT" in said
    assert "No key, no account and no money" in said
    assert "every order was filled" in said
    assert "positions 33 AAPL, 4,000 GOOGL, 150 MSFT\n  no difference" in said
    log = log_of(said)
    assert left_over(log) == []
    return log


def test_alpaca() -> None:
    log = assert_it_traded_with_the_simulator(demonstrate("alpaca"))
    accepted = Counter(line["client_order_id"] for line in lines(log) if line["kind"] == "accepted")
    assert len(accepted) > len(ORDERS)
    assert set(accepted.values()) == {1}, "twice"
    fills = [line for line in lines(log) if line.get("event") in ("fill", "partial_fill")]
    assert sum(int(fill["qty"]) for fill in fills) == sum(ORDERS)


def test_interactive_brokers() -> None:
    log = assert_it_traded_with_the_simulator(demonstrate("ibkr"))
    messages = [(line["way"], line["fields"]) for line in lines(log) if "fields" in line]
    placed = Counter(fields[1] for way, fields in messages if (way, fields[0]) == ("in", "3"))
    assert len(placed) > len(ORDERS)
    assert set(placed.values()) == {1}, "twice"
    # 11 is execDetails; its shares by execution, however often it was told.
    told = [fields for _, fields in messages if fields[0] == "11"]
    assert sum({fields[14]: int(fields[19]) for fields in told}.values()) == sum(ORDERS)
