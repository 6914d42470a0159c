"""`--source FILE`: the bars that a command learns from without storing them."""

from argparse import ArgumentParser
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from zoneinfo import ZoneInfo

from django.core.management.base import CommandError

from execution.management.console import zone_of
from execution.market.bar_checks import Findings, checked
from execution.market.bar_files import BarFileError, BarRow, as_text, read_bars


def add_source(parser: ArgumentParser) -> None:
    parser.add_argument("--source", type=Path, metavar="FILE", help="CSV or gzip CSV of bars")
    parser.add_argument(
        "--timezone", type=zone_of, metavar="ZONE", help="of the file's times without an offset"
    )


@contextmanager
def bars_of(
    file: Path, symbols: Iterable[str], zone: ZoneInfo | None
) -> Iterator[Iterable[BarRow]]:
    """The rows of these symbols, of all where none is named; to be read inside the block. Whatever
    is wrong with the file is a CommandError that names it."""
    try:
        with file.open("rb") as raw, as_text(raw) as text:
            yield checked(read_bars(text, symbols=set(symbols), zone=zone), Findings())
    except OSError as error:
        raise CommandError(f"{file}: {error.strerror or error}") from None
    except BarFileError as error:
        raise CommandError(f"{file}: {error}; nothing was stored") from None
