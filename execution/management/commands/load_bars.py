"""Store one-minute bars for replay and for learning."""

from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterable, Iterator
from dataclasses import astuple
from datetime import date
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connection, transaction
from rich.console import Console
from rich.progress import open as open_with_progress

from execution.market.bar_file import BarFileError, BarRow, as_text, read_bars

STAGE = """
    CREATE TEMP TABLE incoming AS
    SELECT symbol, start_at, open, high, low, close, volume, vwap FROM execution_bar WITH NO DATA
"""
COPY = "COPY incoming FROM STDIN"
KEEP = """
    INSERT INTO execution_bar (symbol, start_at, open, high, low, close, volume, vwap)
    SELECT * FROM incoming ON CONFLICT (symbol, start_at) DO NOTHING
"""


class Command(BaseCommand):
    help = (
        "Store the one-minute bars of a CSV or gzip CSV file. "
        "All of it or, when a line is wrong, nothing; bars that are stored already are kept."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE")
        parser.add_argument("--symbol", nargs="+", default=[], help="only these symbols")
        parser.add_argument(
            "--date", nargs="+", default=[], type=_day, help="only these New York days"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        file, symbols, days = options["file"], set(options["symbol"]), set(options["date"])
        console = Console(stderr=True, quiet=options["verbosity"] == 0)
        seen: set[str] = set()
        try:
            with (
                open_with_progress(file, "rb", description=file.name, console=console) as raw,
                as_text(raw) as text,
            ):
                bars = _noting(read_bars(text, symbols=symbols, days=days), seen)
                read, stored = store(bars, expected=symbols, seen=seen)
        except OSError as error:
            raise CommandError(f"{file}: {error.strerror or error}") from None
        except BarFileError as error:
            raise CommandError(f"{file}: {error}; nothing was stored") from None
        self.stdout.write(
            f"{read:,} bars of {', '.join(sorted(seen))} read, {stored:,} stored, "
            f"{read - stored:,} were there already"
        )


@transaction.atomic
def store(bars: Iterable[BarRow], *, expected: set[str], seen: set[str]) -> tuple[int, int]:
    """Store the bars that are new; how many were read and how many stored."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")  # as long as the file takes to read
        cursor.execute(STAGE)
        with cursor.copy(COPY) as copy:
            for bar in bars:
                copy.write_row(astuple(bar))
        read = cursor.rowcount
        if absent := sorted(expected - seen):
            raise BarFileError(f"no bars of {', '.join(absent)}")
        if not read:
            raise BarFileError("no bars")
        cursor.execute(KEEP)
        stored = cursor.rowcount
        cursor.execute("DROP TABLE incoming")
        return read, stored


def _noting(bars: Iterator[BarRow], seen: set[str]) -> Iterator[BarRow]:
    for bar in bars:
        seen.add(bar.symbol)
        yield bar


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r}: a day such as 2024-06-12 is allowed") from None
