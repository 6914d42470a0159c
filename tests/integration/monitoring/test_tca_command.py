"""`deepstack tca`: the report in a terminal and as files."""

import csv
import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from monitoring.cost_report.report import BY
from tests.integration.monitoring.rows import filled
from tests.integration.monitoring.test_cost_report import a_week

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("at_noon")]
MONTH = ("--from", "2026-02-01", "--to", "2026-03-02")


def told(*words: str) -> str:
    out = StringIO()
    call_command("tca", *words, stdout=out)
    return out.getvalue()


@pytest.mark.parametrize("by", BY)
def test_the_report_fits_eighty_columns(by: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("execution.management.console.PIPED_WIDTH", 80)
    a_week()
    filled("150.90", quantity=9_000_000, strategy="a strategy with a name that is too long")
    text = told(*MONTH, "--by", by)
    assert max(len(line) for line in text.splitlines()) <= 80
    assert "Shortfall $" in text
    assert "Dearest orders" in text
    assert "..." not in text.replace("…", "")


def test_files_and_json_say_the_same(tmp_path: Path) -> None:
    a_week()
    html, table = tmp_path / "tca.html", tmp_path / "tca.csv"
    text = told(*MONTH, "--by", "strategy", "--html", str(html), "--csv", str(table), "--json")
    found = json.loads(text)
    rows = {row["strategy"]: row for row in csv.DictReader(StringIO(table.read_text()))}
    assert set(rows) == {"s0", "s1", "s2", "all"}
    for name, group in [*found["groups"].items(), ("all", found["total"])]:
        bps = group["measures"]["arrival"]["bps"]
        assert bps == pytest.approx(float(rows[name]["arrival_bps"]), abs=1e-4)
    assert "<svg" in html.read_text()
    assert len(found["dearest_orders"]) == 4


def test_nothing_ended() -> None:
    assert told("--period", "week") == (
        "no order with an execution ended in 2026-03-02 (all accounts)\n"
    )


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--from", "2026-02-30"], 2, "--from: must be"),
        (["--to", "soon"], 2, "--to: must be .*'soon'"),
        (["--from", ""], 2, "--from is empty"),
        (["--to", ""], 2, "--to is empty"),
        (["--account", ""], 2, "--account '': no such account"),
        (["--from", "2026-03-02", "--to", "2026-03-01"], 2, "--to: must not be before"),
        (["--from", "2026-03-02", "--period", "week"], 2, "--period: give either"),
        (["--account", "nobody"], 2, "--account 'nobody': no such account"),
        (["--html", "/nowhere/at/all.html"], 1, "/nowhere/at/all.html: No such file"),
    ],
)
def test_what_is_asked_wrongly_is_named(words: list[str], code: int, said: str) -> None:
    with pytest.raises(CommandError, match=said) as refused:
        told(*words)
    assert refused.value.returncode == code
