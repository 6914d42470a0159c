from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any

from typing_extensions import override

from execution import context
from execution.domain.algorithms.registry import ALGOS
from execution.domain.lifecycle import OrderStatus
from execution.domain.signal import as_written
from execution.entry import acceptance, submission
from execution.management import progress
from execution.management.console import Once, OperatorCommand
from execution.management.progress import Watch
from execution.models import Order
from execution.orders import queries

# Beside what routing goes by; each is an option and a field of the signal of the same name.
CONTROLS = {
    "residual": "what becomes of what is left: LEAVE, FORCE, CLOSE, EXTEND or EXTEND_FORCE",
    "residual_minutes": "before the end (FORCE) or the close (CLOSE), or of each extension",
    "max_extensions": "how often EXTEND may",
    "residual_ignores_cap": "true: a rest that is forced is free of the participation cap",
    "aggressive_after": "LIMIT: the share of the window after which the rest crosses the spread",
    "participation": "POV: the share of the market's volume that it goes by",
    "would_price": "at this price or better, all that is left is taken",
    "lot_size": "slices are multiples of it",
    "min_slice": "shares of the smallest slice",
    "max_slice": "shares of the largest slice",
    "native": "Interactive Brokers: the broker's own algorithm, like Adaptive, works it all",
    "native_parameters": "its parameters, like maxPctVol=0.2,noTakeLiq=1",
}
# What the options are called in a signal.
FIELDS = {
    "side": "side",
    "quantity": "quantity",
    "symbol": "symbol",
    "price": "decision_price",
    "urgency": "urgency",
    "algorithm": "algorithm",
    "limit": "limit_price",
    "start": "start_at",
    "end": "end_at",
    "window_minutes": "window_minutes",
    "slices": "slices",
    "adv": "average_daily_volume",
    "vwap_deviation_threshold": "vwap_deviation_threshold",
    "max_participation": "max_participation",
    **{name: name for name in CONTROLS},
    "account": "account",
    "strategy": "strategy",
    "basket": "basket",
    "reference": "client_reference",
}
# What the fields of a signal are called here.
OPTIONS = {
    field: f"--{option.replace('_', '-')}"
    for option, field in FIELDS.items()
    if option not in ("side", "quantity", "symbol")
}
INTERRUPTED = 130


class Command(OperatorCommand):
    help = (
        "Hand an order over and watch it until it has ended; Ctrl-C leaves it working. The exit"
        " code is 0 if it was filled, 1 if not, 2 if it was asked wrongly."
    )
    permission = "execution.submit_order"

    @override
    def add_arguments(self, parser: ArgumentParser) -> None:
        add_signal(parser)
        parser.add_argument(
            "--vwap-deviation-threshold", action=Once, help="a share of the market VWAP"
        )
        parser.add_argument(
            "--reference", action=Once, help="the same reference again is the same order"
        )
        parser.add_argument("--no-wait", action="store_true", help="do not watch it")

    @override
    def handle(self, *args: Any, **options: Any) -> None:
        submission.require_worker()
        with as_written(OPTIONS):
            order = acceptance.accept(signal_of(options), context.default())
        if not options["no_wait"]:
            order = self._watch(order)
        report = queries.report(order, context.default().market, now=context.default().now())
        if options["json"]:
            self.print_json(report)
        else:
            self.out.print(progress.report_table(report))
        refused = order.status == OrderStatus.DENIED
        if refused or (not options["no_wait"] and order.status != OrderStatus.FILLED):
            raise SystemExit(1)

    def _watch(self, order: Order) -> Order:
        watch = Watch(self.err, context.default().market)
        try:
            (order,) = watch.until_done([order.pk])
        except KeyboardInterrupt:
            self.stderr.write(
                f"order {order.pk} goes on; see it with `manage.py orders`, stop it with"
                f" `manage.py cancel {order.pk}`"
            )
            raise SystemExit(INTERRUPTED) from None
        return order


def signal_of(options: Mapping[str, Any]) -> dict[str, object]:
    """What was asked for, as the fields of a signal."""
    return {
        field: options[option]
        for option, field in FIELDS.items()
        if options.get(option) is not None
    }


def add_signal(parser: ArgumentParser) -> None:
    """The options that an order and its preview have in common; several have the names that the
    fields have in Python and in the API, too."""
    # Every value is read by the signal's own parser, which says what is wrong with it.
    parser.add_argument("side", help="BUY or SELL")
    parser.add_argument("quantity", help="whole shares")
    parser.add_argument("symbol")
    parser.add_argument(
        "--price",
        "--current-price",
        "--decision-price",
        action=Once,
        help="decision price per share: your benchmark, denied where it is off the market",
    )
    parser.add_argument("--urgency", action=Once, help="LOW, NORMAL, HIGH or IMMEDIATE")
    names = ", ".join(ALGOS)
    parser.add_argument(
        "--algorithm",
        "--execution-type",
        action=Once,
        help=f"overrides the routing by size: {names}",
    )
    parser.add_argument("--limit", "--limit-price", action=Once, help="the worst price per share")
    parser.add_argument(
        "--start", action=Once, help="a time with its zone, like 2026-11-23T10:00:00-05:00"
    )
    parser.add_argument("--end", action=Once, help="likewise")
    parser.add_argument("--window-minutes", "--time-window-minutes", action=Once)
    parser.add_argument("--slices", "--num-slices", action=Once)
    parser.add_argument(
        "--adv",
        "--avg-daily-volume",
        "--average-daily-volume",
        action=Once,
        help="average daily volume in shares",
    )
    parser.add_argument(
        "--max-participation", action=Once, help="cap, as a share of the market's volume"
    )
    parser.add_argument("--account", action=Once)
    parser.add_argument("--strategy", action=Once)
    parser.add_argument("--basket", action=Once, help="a name for orders that belong together")
    for name, text in CONTROLS.items():
        parser.add_argument(f"--{name.replace('_', '-')}", action=Once, help=text)
