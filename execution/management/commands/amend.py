from argparse import ArgumentParser
from typing import Any

from typing_extensions import override

from execution import context
from execution.domain.exchange_time import exchange_time
from execution.domain.reading import remark, whole
from execution.domain.signal import as_written
from execution.entry import amend
from execution.management.console import ORDER_ID, Once, OperatorCommand, add_person, argument
from execution.models import Order
from execution.orders.results import result_of

OPTIONS = {"quantity": "--quantity", "end_at": "--end-at", "limit_price": "--limit"}
MAX_VERSION = 2**31 - 1


class Command(OperatorCommand):
    help = "Change the quantity, end or limit of a live order; what has left stays as it is."
    permission = "execution.submit_order"

    @override
    def create_parser(self, prog_name: str, subcommand: str, **more: Any) -> Any:
        """Django's own `--version` would print a number and amend nothing."""
        return super().create_parser(prog_name, subcommand, conflict_handler="resolve", **more)

    @override
    def add_arguments(self, parser: ArgumentParser) -> None:
        # Every value is read by the signal's own parser, which says what is wrong with it.
        parser.add_argument("order", type=argument(ORDER_ID), metavar="ID")
        parser.add_argument(
            "--quantity", action=Once, help="whole shares, at least what is filled and working"
        )
        parser.add_argument("--end-at", action=Once, help="a time with its zone, ahead")
        parser.add_argument("--limit", action=Once, dest="limit_price", help="price per share")
        parser.add_argument(
            "--read-version",
            "--version",
            action=Once,
            type=argument(whole(MAX_VERSION)),
            help="the order's, as you read it",
        )
        parser.add_argument("--reason", default="", type=remark, help="for the record")
        add_person(parser)

    @override
    def handle(self, *args: Any, **options: Any) -> None:
        values = {name: options[name] for name in OPTIONS if options[name] is not None}
        version = options["read_version"]
        if version is None:
            version = Order.objects.get(pk=options["order"]).version
        with as_written(OPTIONS):
            order = amend.amend(
                options["order"],
                values,
                version=version,
                by=options["by"],
                context=context.default(),
                reason=options["reason"],
            )
        if options["json"]:
            self.print_json(result_of(order, plan=True))
        else:
            end = exchange_time(order.end_at)
            self.out.print(f"order {order} is now version {order.version}, ends {end}")
