"""`manage.py load_bars`: files of one-minute bars, stored whole or not at all."""

import gzip
import json
from collections.abc import Iterable
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from execution.models import Bar
from tests.integration.market.test_replay import at

pytestmark = pytest.mark.django_db

HEADER = "symbol,timestamp,open,high,low,close,volume,vwap\n"


LINES = [
    f"{symbol},{day}T{minute}:00-04:00,1,2,1,2,5,1.5"
    for symbol in ("GWW", "TYL")
    for day in ("2024-06-12", "2024-06-13")
    for minute in ("09:30", "09:31")
]


def load(tmp_path: Path, lines: Iterable[str], *options: str) -> str:
    file = tmp_path / "bars.csv.gz"
    file.write_bytes(gzip.compress((HEADER + "\n".join(lines) + "\n").encode()))
    said = StringIO()
    call_command("load_bars", str(file), *options, verbosity=0, stdout=said)
    return said.getvalue()


@pytest.mark.parametrize(
    ("options", "stored"),
    [
        ([], 8),
        (["--symbol", "GWW"], 4),
        (["--symbol", "GWW", "TYL", "--date", "2024-06-12"], 4),
        (["--symbol", "TYL", "--date", "2024-06-12", "2024-06-13"], 4),
    ],
)
def test_bars_are_loaded(tmp_path: Path, options: list[str], stored: int) -> None:
    assert f"{stored} stored, 0 were there already" in load(tmp_path, LINES, *options)
    assert Bar.objects.count() == stored
    assert Bar.objects.filter(symbol="TYL", start_at=at("09:31")).exists() == (
        "TYL" in options or not options
    )


def test_loading_again_adds_what_is_new(tmp_path: Path) -> None:
    load(tmp_path, LINES[:3])

    assert "8 bars of GWW, TYL read, 5 stored, 3 were there already" in load(tmp_path, LINES)
    assert Bar.objects.count() == 8


PARTIAL = LINES[0].replace(",5,1.5", ",3,1.5")


def test_a_bar_that_is_stored_with_other_figures_is_refused_unless_it_is_to_be_replaced(
    tmp_path: Path,
) -> None:
    load(tmp_path, [PARTIAL, *LINES[1:3]])
    with pytest.raises(CommandError, match=r"1 bars are stored already with.*line 2: --rep"):
        load(tmp_path, LINES)
    assert Bar.objects.count() == 3

    said = load(tmp_path, LINES, "--replace")
    assert "8 bars of GWW, TYL read, 5 stored, 1 replaced, 2 were there already" in said
    assert Bar.objects.get(symbol="GWW", start_at=at("09:30")).volume == 5


def test_the_result_tells_sessions_gaps_and_what_lies_outside(tmp_path: Path) -> None:
    outside = [
        "GWW,2024-06-12T08:00:00-04:00,1,2,1,2,5,",
        "GWW,2024-06-15T12:00:00-04:00,1,2,1,2,5,",
    ]
    said = load(tmp_path, [*LINES, *outside])
    assert "4 sessions of 2 symbols; 1,552 minutes of their regular hours have no bar" in said
    assert "1 bars lie outside the regular hours" in said
    assert "warning: 1 bars lie outside every session" in said
    found = json.loads(load(tmp_path, LINES, "--json"))
    assert (found["bars"], found["stored"], len(found["jumps"])) == (8, 0, 6)


def test_times_without_an_offset_are_read_in_the_zone_that_is_named(tmp_path: Path) -> None:
    line = "GWW,2024-06-12T13:30:00,1,2,1,2,5,1.5"
    with pytest.raises(CommandError, match=r"line 2: .*--timezone.*nothing was stored"):
        load(tmp_path, [line])
    load(tmp_path, [line], "--timezone", "UTC")
    assert Bar.objects.get().start_at == at("09:30")
    with pytest.raises(CommandError, match="'Mars/Base': a zone such as"):
        load(tmp_path, [line], "--timezone", "Mars/Base")


@pytest.mark.parametrize(
    ("lines", "options", "message"),
    [
        ([*LINES, "GWW,2024-06-14T09:30Z,0,2,1,2,5,1"], [], "line 10: open = '0'"),
        (LINES, ["--symbol", "GWW", "AZO"], "no bars of AZO"),
        (LINES, ["--date", "2024-06-15"], "no bars"),
        (LINES, ["--date", "15 June"], "'15 June': a day such as 2024-06-12 is allowed"),
        ([], [], "no bars"),
    ],
)
def test_nothing_is_stored_half(
    tmp_path: Path, lines: list[str], options: list[str], message: str
) -> None:
    with pytest.raises(CommandError, match=message):
        load(tmp_path, lines, *options)

    assert not Bar.objects.exists()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"none\.csv: No such file"):
        call_command("load_bars", str(tmp_path / "none.csv"), verbosity=0)
