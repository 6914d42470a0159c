"""Learn how the volume of each symbol spreads over the day."""

from argparse import ArgumentParser
from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from rich.table import Table
from typing_extensions import override

from execution.domain import reading
from execution.domain.signal import ticker
from execution.domain.volume_profile import FEWEST_SESSIONS
from execution.management.bar_source import add_source, bars_of
from execution.management.console import BadInput, OperatorCommand, argument
from execution.market import clock
from execution.models import VolumeProfile
from execution.planning import volume_profiles


class Command(OperatorCommand):
    help = (
        "Learn volume profiles from the stored one-minute bars, or from a file of bars, of sessions"
        " that are over: for each symbol and for all together. What is known already is not stored"
        " again."
    )

    @override
    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--symbol", nargs="+", default=[], type=argument(ticker), help="only these symbols"
        )
        parser.add_argument(
            "--sessions", default=str(volume_profiles.SESSIONS), help="as many as this"
        )
        parser.add_argument("--until", help="the last session to learn from, like 2024-06-12")
        add_source(parser)

    @override
    def handle(self, *args: Any, **options: Any) -> None:
        choices: dict[str, Any] = {
            "now": clock.now(),
            "until": _day(options["until"]),
            "sessions": _count(options["sessions"]),
        }
        symbols, file = options["symbol"], options["source"]
        learned = (
            _from_file(file, symbols, options["timezone"], choices)
            if file
            else volume_profiles.learn_from_bars(symbols, **choices)
        )
        if options["json"]:
            self.print_json([_shown(row) for row in learned])
            return
        if learned:
            self.out.print(_table(learned))
        if never := _never_learned(symbols):
            self.stdout.write(
                f"nothing is known of {never}: it takes {FEWEST_SESSIONS} full sessions of bars"
                " that are over; manage.py load_bars FILE stores them"
            )
        elif not learned:
            self.stdout.write(
                "nothing new: every symbol with at least"
                f" {FEWEST_SESSIONS} full sessions of bars was learned before"
            )


def _from_file(
    file: Path, symbols: list[str], zone: ZoneInfo | None, choices: dict[str, Any]
) -> list[VolumeProfile]:
    with bars_of(file, symbols, zone) as rows:
        return volume_profiles.learn_from_rows(rows, source=file.name, pool=not symbols, **choices)


def _never_learned(symbols: list[str]) -> str:
    """Those of the named symbols that have no profile; without names, whether none has one."""
    if not symbols:
        return "" if VolumeProfile.objects.exists() else "any symbol"
    known = set(VolumeProfile.objects.filter(symbol__in=symbols).values_list("symbol", flat=True))
    return ", ".join(dict.fromkeys(each for each in symbols if each not in known))


def _day(text: str | None) -> date | None:
    try:
        return None if text is None else reading.day(text)
    except ValueError:
        raise BadInput(f"--until {text!r}: a day such as 2024-06-12 is allowed") from None


def _count(text: str) -> int:
    least = FEWEST_SESSIONS
    if (
        not (text.isascii() and text.isdecimal())
        or not least <= int(text) <= volume_profiles.MOST_SESSIONS
    ):
        raise BadInput(
            f"--sessions {text!r}: a whole number from {least} to {volume_profiles.MOST_SESSIONS}"
            " is allowed"
        )
    return int(text)


def _shown(row: VolumeProfile) -> dict[str, object]:
    return {
        "id": row.pk,
        "symbol": row.symbol,
        "until": row.until,
        "sessions": row.sessions,
        "mean_volume": row.mean_volume,
        "expected_volume": row.expected_volume,
        "daily_volatility": row.daily_volatility,
        "source": row.source,
    }


def _table(learned: list[VolumeProfile]) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("symbol", "sessions", "until", "expected volume", "daily volatility"):
        table.add_column(name, justify="left" if name == "symbol" else "right")
    for row in learned:
        table.add_row(
            row.symbol or "all together",
            str(len(row.sessions)),
            row.until.isoformat(),
            "-" if row.expected_volume is None else f"{row.expected_volume:,.0f}",
            "-" if row.daily_volatility is None else f"{row.daily_volatility:.2%}",
        )
    return table
