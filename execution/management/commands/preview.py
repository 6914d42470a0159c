"""What an order would become and cost, without handing it over."""

from argparse import ArgumentParser
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.table import Table
from typing_extensions import override

from execution import context
from execution.domain import figures
from execution.domain.exchange_time import exchange_time
from execution.domain.signal import as_written
from execution.entry.preview import Preview, preview
from execution.management.commands.order import OPTIONS, add_signal, signal_of
from execution.management.console import OperatorCommand
from execution.management.fitting import Column, fitted

COLUMNS = (
    Column("algorithm", "left"),
    Column("cost bps"),
    Column("standard error", spare=3),
    Column("deviation bps", spare=2),
    Column("participation", spare=1),
    Column("finish"),
    Column("feasible", "left"),
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
            self.out.print(table(seen, width=self.out.width))


def _sentence(seen: Preview) -> str:
    order = f"{seen['side']} {seen['quantity']:,} {seen['symbol']}"
    if seen["status"] == "DENIED":
        return f"{order} would be denied: {seen['reason']}"
    slices = figures.counted(seen["slices"], "slice")
    return f"{order} would run, algo {seen['algorithm']} ({seen['chosen_because']}), {slices}"


def _notes(seen: Preview) -> Iterator[str]:
    halt = seen["halted"]
    if halt:
        text = f"halted since {_clock(halt['since'])}: {halt['reason']}"
        yield f"{text}; nothing is sent before it trades again"
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


def table(seen: Preview, *, width: int) -> Table:
    return fitted(COLUMNS, [_row(each, seen["algorithm"]) for each in seen["alternatives"]], width)


def _row(each: Mapping[str, Any], chosen: str) -> Sequence[str]:
    part = each["participation"]
    return (
        each["algorithm"] + (" *" if each["algorithm"] == chosen else ""),
        figures.signed(each["cost_bps"], 2),
        _bps(each["standard_error_bps"]),
        _bps(each["deviation_bps"]),
        "n/a" if part is None else f"{part:.2%}",
        _clock(each["finish"]),
        _feasible(each),
    )


def _bps(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.2f}"


def _feasible(each: Mapping[str, Any]) -> str:
    if each["feasible"] is None:
        return "n/a"
    if each["feasible"]:
        return "yes"
    by = each["feasible_by"]
    if not by:
        return "not this session"
    at, finish = _clock(by), _clock(each["finish"])
    day = len("2026-11-27 ")
    return f"by {at[day:] if at[:day] == finish[:day] else at}"


def _clock(text: str) -> str:
    return exchange_time(datetime.fromisoformat(text))
