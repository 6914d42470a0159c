"""Store one-minute bars for replay and for learning."""

import json
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterable
from dataclasses import astuple, dataclass
from datetime import date
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError
from django.db import connection, transaction
from django.utils import timezone
from rich.console import Console
from rich.progress import open as open_with_progress
from typing_extensions import override

from execution.domain import reading
from execution.management.console import OperatorCommand, zone_of
from execution.market.bar_checks import Findings, checked, in_words, place
from execution.market.bar_files import BarFileError, BarRow, as_text, read_bars
from execution.market.calendar import ExchangeCalendar

STAGE = """
    CREATE TEMP TABLE incoming AS
    SELECT 0 AS line, symbol, start_at, open, high, low, close, volume, vwap
    FROM execution_bar WITH NO DATA
"""
COPY = "COPY incoming FROM STDIN"
# The line of each bar that is stored already with other figures.
DIFFERENT = """
    CREATE TEMP TABLE different AS
    SELECT i.line, symbol, start_at
    FROM incoming i JOIN execution_bar b USING (symbol, start_at)
    WHERE (b.open, b.high, b.low, b.close, b.volume, b.vwap)
        IS DISTINCT FROM (i.open, i.high, i.low, i.close, i.volume, i.vwap)
"""
REMOVE = """
    DELETE FROM execution_bar b USING different d
    WHERE (b.symbol, b.start_at) = (d.symbol, d.start_at)
"""
KEEP = """
    INSERT INTO execution_bar (symbol, start_at, open, high, low, close, volume, vwap)
    SELECT symbol, start_at, open, high, low, close, volume, vwap FROM incoming
    ON CONFLICT (symbol, start_at) DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class Stored:
    """How many of the bars read are new, and how many took the place of another."""

    new: int
    replaced: int


class Command(OperatorCommand):
    help = (
        "Store the one-minute bars of a CSV or gzip CSV file: all of it or, when a line is wrong, "
        "nothing. A timestamp is the start of its minute; one without an offset is refused unless "
        "--timezone says in which zone the file was written. A bar that is stored already with "
        "other figures is refused unless --replace is given."
    )

    @override
    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE")
        parser.add_argument(
            "--symbol",
            nargs="+",
            default=[],
            help="only these symbols; one, where the file has no column for it",
        )
        parser.add_argument(
            "--date", nargs="+", default=[], type=_day, help="only these New York days"
        )
        parser.add_argument(
            "--timezone",
            type=zone_of,
            metavar="ZONE",
            help="of timestamps without an offset, such as America/New_York or UTC",
        )
        parser.add_argument(
            "--replace", action="store_true", help="the file's bars replace those that differ"
        )

    @override
    def handle(self, *args: Any, **options: Any) -> None:
        file, symbols, days = options["file"], set(options["symbol"]), set(options["date"])
        console = Console(stderr=True, quiet=options["verbosity"] == 0)
        found = Findings()
        try:
            with (
                open_with_progress(file, "rb", description=file.name, console=console) as raw,
                as_text(raw) as text,
            ):
                rows = read_bars(text, symbols=symbols, days=days, zone=options["timezone"])
                stored = store(rows, found, expected=symbols, replace=options["replace"])
        except OSError as error:
            raise CommandError(f"{file}: {error.strerror or error}") from None
        except BarFileError as error:
            raise CommandError(f"{file}: {error}; nothing was stored") from None
        place(found, ExchangeCalendar())
        self.stdout.write(_as_json(found, stored) if options["json"] else _as_text(found, stored))


@transaction.atomic
def store(
    bars: Iterable[BarRow], found: Findings, *, expected: set[str], replace: bool = False
) -> Stored:
    """Store the bars, which fill `found`. Raises BarFileError, and then nothing is stored: for a
    bar that is wrong, or stored already with other figures unless they are to `replace` them."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")  # as long as the file takes to read
        cursor.execute(STAGE)
        with cursor.copy(COPY) as copy:
            for bar in checked(bars, found, until=timezone.now()):
                copy.write_row(astuple(bar))
        if absent := sorted(expected - found.symbols):
            raise BarFileError(f"no bars of {', '.join(absent)}")
        if not found.bars:
            raise BarFileError("no bars")
        cursor.execute(DIFFERENT)
        cursor.execute("SELECT count(*), min(line) FROM different")
        different, line = cursor.fetchone()
        if different and not replace:
            raise BarFileError(
                f"{different:,} bars are stored already with other figures, the first in line "
                f"{line}: --replace takes the file's"
            )
        if different:
            cursor.execute(REMOVE)
        cursor.execute(KEEP)
        stored: int = cursor.rowcount
        cursor.execute("DROP TABLE incoming, different")
        return Stored(new=stored - different, replaced=different)


def _as_text(found: Findings, stored: Stored) -> str:
    there = found.bars - stored.new - stored.replaced
    replaced = f"{stored.replaced:,} replaced, " if stored.replaced else ""
    first = (
        f"{found.bars:,} bars of {', '.join(sorted(found.symbols))} read, {stored.new:,} stored, "
        f"{replaced}{there:,} were there already"
    )
    return "\n".join([first, *in_words(found)])


def _as_json(found: Findings, stored: Stored) -> str:
    return json.dumps(
        {
            "bars": found.bars,
            "symbols": sorted(found.symbols),
            "stored": stored.new,
            "replaced": stored.replaced,
            "sessions": found.sessions,
            "minutes_without_a_bar": found.minutes_without_a_bar,
            "outside_regular_hours": found.outside_regular_hours,
            "outside_all_hours": found.outside_all_hours,
            "jumps": [str(jump) for jump in found.jumps],
        },
        indent=2,
    )


def _day(text: str) -> date:
    try:
        return reading.day(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r}: a day such as 2024-06-12 is allowed") from None
