from argparse import ArgumentParser
from typing import Any

from rich.text import Text
from typing_extensions import override

from execution import context
from execution.domain.exchange_time import exchange_time
from execution.management import progress
from execution.management.console import ORDER_ID, OversightCommand, argument
from execution.models import Order, OrderEvent
from execution.orders import queries
from execution.orders.event_text import sentence


class Command(OversightCommand):
    help = "Show an order's audit trail: every decision in order, with the numbers it rested on."

    @override
    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("order", type=argument(ORDER_ID), metavar="ID")

    @override
    def handle(self, *args: Any, **options: Any) -> None:
        order = Order.objects.get(pk=options["order"])
        report = queries.report(order, context.default().market, now=context.default().now())
        events = queries.story_of(order.pk).iterator()
        if options["json"]:
            self.print_json({"order": report, "events": [_plain(event) for event in events]})
            return
        out = self.out
        out.print(progress.report_table(report))
        out.print()
        for event in events:
            text = Text(exchange_time(event.at, millis=True), style="dim")
            out.print(text, sentence(event.kind, event.data), markup=False, soft_wrap=True)


def _plain(event: OrderEvent) -> dict[str, Any]:
    return {
        "id": event.pk,
        "at": event.at,
        "kind": event.kind,
        "slice": event.slice.sequence if event.slice else None,
        "data": event.data,
        "recorded_wall": event.recorded_wall,
    }
