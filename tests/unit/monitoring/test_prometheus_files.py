"""Prometheus' own checker, where it is installed, takes what Prometheus and Grafana are given."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from deepstack.config import ROOT

FOLDER = ROOT / "monitoring" / "grafana"
PROMTOOL = shutil.which("promtool") or ""
needs_promtool = pytest.mark.skipif(not PROMTOOL, reason="there is no promtool")


def rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"]
    return list(group["rules"])


def board_expressions(value: Any) -> Iterator[str]:
    """Every `expr` of the board, however deep, with an interval in place of Grafana's own."""
    if isinstance(value, dict):
        if isinstance(expression := value.get("expr"), str):
            yield expression.replace("$__rate_interval", "1m")
        value = list(value.values())
    for each in value if isinstance(value, list) else ():
        yield from board_expressions(each)


def checked(*words: str) -> None:
    done = subprocess.run(
        [PROMTOOL, "check", *words], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_promtool_takes_the_alert_rules() -> None:
    checked("rules", str(FOLDER / "alerts.yml"))


@needs_promtool
def test_promtool_takes_the_configuration() -> None:
    checked("config", "--syntax-only", str(FOLDER / "prometheus.yml"))


@needs_promtool
def test_promtool_takes_every_expression_of_the_board(tmp_path: Path) -> None:
    board = json.loads((FOLDER / "board.json").read_text())
    recorded = [
        {"record": f"panel_{number}", "expr": expression}
        for number, expression in enumerate(board_expressions(board))
    ]
    assert recorded
    file = tmp_path / "board.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "board", "rules": recorded}]}))
    checked("rules", str(file))


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_a_rule_has_what_a_pager_needs(rule: dict[str, Any]) -> None:
    assert set(rule) == {"alert", "expr", "for", "labels", "annotations"}
    assert re.fullmatch(r"[1-9]\d*[sm]", rule["for"])
    assert rule["labels"]["severity"] in {"warning", "critical"}
    assert {"summary", "action"} <= set(rule["annotations"])
    assert rule["expr"].count("(") == rule["expr"].count(")")


def test_every_rule_has_a_name_of_its_own() -> None:
    names = [rule["alert"] for rule in rules()]
    assert len(names) == len(set(names))
