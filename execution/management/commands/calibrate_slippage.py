"""Fit the cost model to what the own orders did cost."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from django.forms import model_to_dict
from rich.table import Table
from typing_extensions import override

from execution import context
from execution.domain.interval_coverage import RUNS
from execution.management.console import BadInput, OperatorCommand, add_person
from execution.models import SlippageCalibration
from execution.planning import cost_calibration
from execution.planning.cost_calibration import NothingToLearn

MOST = 1_000_000


class Command(OperatorCommand):
    help = (
        "Fit the coefficients of the configured cost model to the arrival slippage of finished"
        " orders, drawn to the configured ones, and store the result. It is adopted when it has"
        " enough orders and predicted orders that it had not seen better than the configured ones"
        " did; estimates use it where execution.slippage.calibrated is true."
    )
    permission = "execution.change_risklimit"  # routing may go by what is adopted

    @override
    def add_arguments(self, parser: ArgumentParser) -> None:
        which = parser.add_mutually_exclusive_group()
        which.add_argument("--symbol", help="the orders of this symbol, for this symbol alone")
        which.add_argument("--all", action="store_true", help="all orders, for all (the default)")
        parser.add_argument(
            "--min-fills",
            default=str(cost_calibration.FEWEST),
            metavar="N",
            help="finished orders with fills, below which the configured coefficients are kept",
        )
        add_person(parser)

    @override
    def handle(self, *args: Any, **options: Any) -> None:
        here = context.default()
        try:
            row = cost_calibration.learn(
                options["symbol"] or cost_calibration.ALL,
                fewest=_count(options["min_fills"]),
                by=options["by"],
                context=here,
            )
        except (NothingToLearn, ValueError) as error:
            raise CommandError(f"nothing was stored: {error}") from None
        if options["json"]:
            self.print_json(model_to_dict(row) | {"id": row.pk})
            return
        self.stdout.write(f"{row} from {row.orders} orders{_left_out(row)}")
        self.out.print(_coefficients(row))
        self.stdout.write(_doubt(row))
        self.out.print(_errors(row))
        self.stdout.write(_verdict(row, used=here.config.execution.slippage.calibrated))


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or not 1 <= int(text) <= MOST:
        raise BadInput(f"--min-fills {text!r}: a whole number from 1 to {MOST:,} is allowed")
    return int(text)


def _left_out(row: SlippageCalibration) -> str:
    return "".join(f"; {count} left out: {why}" for why, count in row.left_out.items())


def _coefficients(row: SlippageCalibration) -> Table:
    table = _table("coefficient", "configured", "fitted", "standard error", "of it configured")
    for name, found in row.coefficients.items():
        table.add_row(
            name,
            f"{found['prior']:g}",
            f"{found['value']:.4g}",
            f"{found['standard_error']:.2g}",
            f"{found['prior_share']:.0%}",
        )
    return table


def _doubt(row: SlippageCalibration) -> str:
    """How far the standard errors may be believed."""
    text = "the orders do not contradict the configured coefficients"
    if row.prior_widened > 1:
        text = (
            "the orders contradict the configured coefficients, whose error is taken as"
            f" {row.prior_widened:.1f} times as large"
        )
    if row.coverage is None:
        return text
    return (
        f"{text}; with these off by a factor of three, 95 % intervals held in {row.coverage:.0%}"
        f" of {RUNS} simulated fits"
    )


def _errors(row: SlippageCalibration) -> Table:
    table = _table("mean absolute error, bps", "orders", "configured", "fitted")
    table.add_row("in sample", str(row.orders), _bps(row.prior_error_bps), _bps(row.error_bps))
    table.add_row(
        "out of sample",
        str(row.tested),
        _bps(row.prior_tested_error_bps),
        _bps(row.tested_error_bps),
    )
    return table


def _table(first: str, *others: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(first)
    for name in others:
        table.add_column(name, justify="right")
    return table


def _bps(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _verdict(row: SlippageCalibration, *, used: bool) -> str:
    if not row.adopted:
        return f"not adopted: {row.refused}; estimates stay as they were"
    if used:
        return "adopted: estimates use it from now on"
    return "adopted; set execution.slippage.calibrated to true for estimates to use it"
