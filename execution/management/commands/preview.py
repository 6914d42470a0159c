"""What an order would become and cost, without handing it over."""

from argparse import ArgumentParser
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from rich.table import Table
from typing_extensions import override

from execution import context
from execution.domain.exchange_time import exchange_time
from execution.domain.signal import as_written
from execution.entry.preview import Preview, preview
from execution.management.commands.order import OPTIONS, add_signal, signal_of
from execution.management.console import OperatorCommand

COLUMNS = (
    "algorithm",
    "cost bps",
    "standard error",
    "deviation bps",
    "participation",
    "finish",
    "feasible",
)


class Command(OperatorCommand):
    help = (
        "Show what an order would become now and what each way of working it is expected to cost;"
        " nothing is stored or sent. Costs are in basis points of its value, + is a cost."
    )

    @override
    def add_arguments(self, parser: ArgumentParser) -> None:
        add_signal(parser)

    @override
    def handle(self, *args: Any, **options: Any) -> None:
        with as_written(OPTIONS):
            seen = preview(signal_of(options), context.default())
        if options["json"]:
            self.print_json(seen)
            return
        for sentence in (_sentence(seen), *_notes(seen)):
            self.stdout.write(sentence)
        if seen["alternatives"]:
            self.out.print(_table(seen))


def _sentence(seen: Preview) -> str:
    wish = f"{seen['side']} {seen['quantity']:,} {seen['symbol']}"
    if seen["status"] == "DENIED":
        return f"{wish} would be denied: {seen['reason']}"
    slices = f"{seen['slices']} slice{'' if seen['slices'] == 1 else 's'}"
    return f"{wish} would run, algo {seen['algorithm']} ({seen['chosen_because']}), {slices}"


def _notes(seen: Preview) -> Iterator[str]:
    halt = seen["halted"]
    if halt:
        told = f"halted since {_clock(halt['since'])}: {halt['reason']}"
        yield f"{told}; nothing is sent before it trades again"
    for reason in seen["waits_for"]:
        yield f"nothing is sent as long as {reason}"
    plan = seen["residual"]
    if plan:
        times = f"from {_clock(plan['from'])} until {_clock(plan['until'])}"
        yield f"what its slices leave: {plan['policy']}, {times}"
    for name, price in seen["rounded"].items():
        yield f"{name} {price['asked']} lies between two ticks: {price['sent']} is sent"
    if seen["left_out"]:
        yield f"{seen['algorithm']} leaves out {', '.join(seen['left_out'])}"
    yield from seen["advice"]
    if seen["fills"]:
        yield seen["fills"]


def _table(seen: Preview) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in COLUMNS:
        table.add_column(name, justify="left" if name in ("algorithm", "feasible") else "right")
    for each in seen["alternatives"]:
        part = each["participation"]
        table.add_row(
            each["algorithm"] + (" *" if each["algorithm"] == seen["algorithm"] else ""),
            f"{each['cost_bps']:+.2f}",
            _bps(each["standard_error_bps"]),
            _bps(each["deviation_bps"]),
            "n/a" if part is None else f"{part:.2%}",
            _clock(each["finish"]),
            _feasible(each),
        )
    return table


def _bps(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.2f}"


def _feasible(each: dict[str, Any]) -> str:
    if each["feasible"] is None:
        return "n/a"
    if each["feasible"]:
        return "yes"
    by = each["feasible_by"]
    return f"no, by {_clock(by)}" if by else "no, not in this session"


def _clock(text: str) -> str:
    return exchange_time(datetime.fromisoformat(text))
