"""Look for constants of the volume forecast that suit one's own symbols better."""

from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandError
from rich.table import Table
from typing_extensions import override

from deepstack.config import Config
from execution import context
from execution.domain.forecast_tuning import TooFewSessions, Tuned
from execution.domain.reading import whole
from execution.domain.signal import ticker
from execution.domain.traded_sessions import TradedDay
from execution.domain.volume_forecast import Constants
from execution.management.bar_source import add_source, bars_of
from execution.management.console import OperatorCommand, argument
from execution.management.time_left import TimeLeft
from execution.market import clock
from execution.planning import volume_profiles
from execution.planning.forecast_tuning import tune_on


class Command(OperatorCommand):
    help = (
        "Work VWAP orders again on past sessions, each with what was known the evening before, and"
        " choose the forecast's constants on the earlier half. The later half judges: only a gain"
        " whose 95 % interval lies above nothing is proposed, as lines for config/config.yaml."
        " Nothing is changed."
    )

    @override
    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--symbol", nargs="+", default=[], type=argument(ticker), help="only these symbols"
        )
        parser.add_argument(
            "--sessions",
            type=argument(whole(volume_profiles.MOST_SESSIONS)),
            default=120,
            help="as many of each symbol's last sessions as this",
        )
        add_source(parser)

    @override
    def handle(self, *args: Any, **options: Any) -> None:
        config = context.default().config
        self.err.print("reading the bars and learning what was known before each session")
        left = TimeLeft(self.err, "working past orders again")
        try:
            tuned = tune_on(_tape(options), config, progress=left)
        except TooFewSessions as error:
            raise CommandError(f"{error}; load more with `deepstack load-bars`") from None
        used = volume_profiles.forecast_constants(config)
        if options["json"]:
            self.print_json(_as_json(used, tuned))
            return
        self.out.print(_constants(used, tuned.proposed))
        self.stdout.write(_verdict(tuned))
        if tuned.better:
            self.stdout.write(_lines(config, tuned.proposed))


def _tape(options: Mapping[str, Any]) -> Mapping[str, Sequence[TradedDay]]:
    now, symbols = clock.now(), options["symbol"]
    if file := options["source"]:
        with bars_of(file, symbols, options["timezone"]) as rows:
            return volume_profiles.tape_of_rows(rows, now=now)
    return volume_profiles.tape_of_bars(symbols, now=now, until=None, sessions=options["sessions"])


def _as_json(used: Constants, tuned: Tuned) -> dict[str, object]:
    return {
        "used": asdict(used),
        "proposed": asdict(tuned.proposed),
        "better": tuned.better,
        "chosen_on": tuned.chosen_on,
        "judged_on": tuned.judged_on,
        "error_bps": {"used": tuned.error[0], "proposed": tuned.error[1]},
        "gain_bps": asdict(tuned.gain),
    }


def _constants(used: Constants, proposed: Constants) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("constant", "in use", "proposed"):
        table.add_column(name, justify="left" if name == "constant" else "right")
    for name, value in asdict(used).items():
        table.add_row(name, f"{value:g}", f"{asdict(proposed)[name]:g}")
    return table


def _verdict(tuned: Tuned) -> str:
    (before, after), gain = tuned.error, tuned.gain
    figures = (
        f"\nchosen on {tuned.chosen_on[0]} to {tuned.chosen_on[1]}, judged on {tuned.judged_on[0]}"
        f" to {tuned.judged_on[1]} ({gain.days} sessions): mean absolute deviation from the"
        f" market's VWAP {before:.2f} -> {after:.2f} bps, gain {gain.mean:+.2f}"
        f" (95 %: {gain.low:+.2f} to {gain.high:+.2f})\n"
    )
    if tuned.better:
        return figures + "The gain is beyond chance. To use it, write into config/config.yaml:"
    return figures + "No gain beyond chance: keep the constants in use."


def _lines(config: Config, proposed: Constants) -> str:
    used = asdict(volume_profiles.forecast_constants(config))
    changed = {name: value for name, value in asdict(proposed).items() if value != used[name]}
    head = ["execution:", "  vwap:", "    forecast:"]
    return "\n".join([*head, *(f"      {name}: {value:g}" for name, value in changed.items())])
