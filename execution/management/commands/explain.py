from argparse import ArgumentParser
from collections.abc import Iterable
from typing import Any

from django.core.management.base import CommandError
from rich.text import Text
from typing_extensions import override

from deepstack.config import current
from execution import context
from execution.archive import files, reading
from execution.archive.manifest import ArchiveError
from execution.domain.exchange_time import exchange_time
from execution.management import progress
from execution.management.console import ORDER_ID, OperatorCommand, argument
from execution.models import Order, OrderEvent
from execution.orders import order_trace, queries
from execution.orders.event_text import headline, sentence


class Command(OperatorCommand):
    help = (
        "Show an order's audit trail: every decision in order, as a trader reads it; with --facts"
        " also each number that it rested on."
    )

    @override
    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("order", type=argument(ORDER_ID), metavar="ID")
        parser.add_argument("--facts", action="store_true", help="every fact that was written down")

    @override
    def handle(self, *args: Any, **options: Any) -> None:
        order = Order.objects.get(pk=options["order"])
        report = queries.report(order, context.default().market, now=context.default().now())
        events = _events(order)
        if options["json"]:
            self.print_json(
                {"order": report, "events": [_plain(event, order.side) for event in events]}
            )
            return
        out, words = self.out, sentence if options["facts"] else headline
        out.print(progress.report_table(report))
        if trace := order_trace.id_of(order):
            out.print(f"trace {trace}")
        out.print()
        for event in events:
            text = Text(exchange_time(event.at, millis=True), style="dim")
            said = words(event.kind, event.data, order.side)
            out.print(text, said, markup=False, soft_wrap=True)


def _events(order: Order) -> Iterable[OrderEvent]:
    """The trail, from the archive where it is there."""
    member = reading.of_order(order)
    if member is None:
        return queries.events_of(order.pk).iterator()
    try:
        return reading.trail(
            member, files.folder_of(current()), key=current().backup_key.get_secret_value()
        )
    except ArchiveError as error:
        raise CommandError(f"order {order.pk} was archived: {error}") from None


def _plain(event: OrderEvent, side: str) -> dict[str, Any]:
    return {
        "id": event.pk,
        "at": event.at,
        "kind": event.kind,
        "slice": event.slice.sequence if event.slice else None,
        "text": headline(event.kind, event.data, side),
        "data": event.data,
        "recorded_at": event.recorded_at_real,
    }
