"""What the log lines of several processes look like, and what of them reaches the console."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

from deepstack.config import ROOT
from deepstack.local.log_tail import WarningTail

SCRIPT = """
import logging, sys
from pathlib import Path
import structlog
from deepstack import logs

logs.configure(level="INFO", file=Path(sys.argv[1]))
log = structlog.get_logger("execution.sending.slices")
with structlog.contextvars.bound_contextvars(order_id=7, slice_id=9):
    log.info("sent", quantity=100)
    logging.getLogger("some.library").warning("slow by %s s", 3)
    log.debug("not at this level")
    try:
        1 / 0
    except ZeroDivisionError:
        log.exception("broken")
for number in range(int(sys.argv[2])):
    log.info("line", number=number)
"""


def start(file: Path, lines: int = 0) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(file), str(lines)],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_lines_carry_what_is_bound_also_those_of_libraries(tmp_path: Path) -> None:
    file = tmp_path / "logs" / "deepstack.log"
    _, console = start(file).communicate(timeout=60)
    entries = [json.loads(line) for line in file.read_text().splitlines()]
    assert [(entry["level"], entry["logger"], entry["event"]) for entry in entries] == [
        ("info", "execution.sending.slices", "sent"),
        ("warning", "some.library", "slow by 3 s"),
        ("error", "execution.sending.slices", "broken"),
    ]
    assert {(entry["order_id"], entry["slice_id"]) for entry in entries} == {(7, 9)}
    assert entries[0]["quantity"] == 100
    assert "ZeroDivisionError" in entries[2]["exception"]
    assert [json.loads(line)["event"] for line in console.splitlines()] == [
        "sent",
        "slow by 3 s",
        "broken",
    ]


def test_processes_share_one_file(tmp_path: Path) -> None:
    file = tmp_path / "deepstack.log"
    writers = [start(file, lines=500) for _ in range(3)]
    for writer in writers:
        writer.communicate(timeout=60)
    numbers = Counter(json.loads(line).get("number") for line in file.read_text().splitlines())
    assert {numbers[number] for number in range(500)} == {3}


def test_only_the_services_own_user_reads_the_file(tmp_path: Path) -> None:
    new, old = tmp_path / "logs" / "deepstack.log", tmp_path / "of-an-earlier-release.log"
    old.touch(0o644)
    for file in (new, old):
        start(file).communicate(timeout=60)
        assert (file.stat().st_size > 0, oct(file.stat().st_mode & 0o777)) == (True, "0o600")
    assert oct(new.parent.stat().st_mode & 0o777) == "0o700"


def test_without_a_file_the_console_serves_alone() -> None:
    _, console = start(Path("/proc/nowhere/deepstack.log")).communicate(timeout=60)
    first, *rest = console.splitlines()
    assert first.startswith("no log file, only the console: ")
    assert [json.loads(line)["event"] for line in rest] == ["sent", "slow by 3 s", "broken"]


def test_tail_shows_new_warnings_and_nothing_else(tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    log.write_text('{"level": "error", "event": "of an earlier run"}\n')
    tail = WarningTail(log)
    with log.open("a") as writer:
        writer.write('{"level": "info", "event": "sent"}\nnot JSON\n[1]\n')
        writer.write('{"level": "warning", "event": "late", "order_id": 7}\n{"level": "err')
        writer.flush()
        assert list(tail.warnings()) == ["warning: late order_id=7"]
        writer.write('or", "event": "lost"}\n')
    assert list(tail.warnings()) == ["error: lost"]
    assert list(tail.warnings()) == []
