import time
from argparse import ArgumentParser
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from django.core.management.base import CommandError
from django.utils import timezone
from django.utils.module_loading import import_string
from typing_extensions import override

from deepstack.config import Config, ConfigError, current
from execution.broker import BROKERS
from execution.broker.base import Broker
from execution.broker.connection_check import Finding, Grade, examine, round_trip
from execution.domain import reading
from execution.domain.signal import InvalidSignal, parse
from execution.management.console import OperatorCommand


class Command(OperatorCommand):
    help = (
        "Connect to a broker and say in plain words what works and what is missing. "
        "Sends no order, except with --roundtrip, and that to paper accounts only."
    )
    speaks_json = False

    @override
    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", nargs="?", choices=sorted(BROKERS), help="default: the one set")
        parser.add_argument("--symbol", default="AAPL", help="whose quote is asked for")
        parser.add_argument(
            "--roundtrip",
            action="store_true",
            help="buy one share far below the market and cancel it, on a paper account",
        )
        parser.add_argument("--price", help="of the round trip; default: half of the bid")

    @override
    def handle(self, *args: Any, **options: Any) -> None:
        config = current()
        name = options["name"] or (config.live_broker if config.trading_mode == "live" else "paper")
        symbol, price = _symbol(options["symbol"]), _price(options["price"])
        broker = _open(name, config)
        address = getattr(broker, "address", "")
        self.stdout.write(f"{name} {address}".strip())
        bad = self._show(examine(broker, config, symbol, timezone.now))
        if options["roundtrip"] and not bad:
            bad = self._show(round_trip(broker, config, symbol, price, timezone.now, time.sleep))
        if bad:
            raise CommandError(f"{name} is not ready: {', '.join(bad)}")

    def _show(self, findings: Iterable[Finding]) -> list[str]:
        """Print each as it comes; the subjects of the bad ones."""
        styles = {
            Grade.GOOD: self.style.SUCCESS,
            Grade.LOOK: self.style.WARNING,
            Grade.BAD: self.style.ERROR,
        }
        bad = []
        for finding in findings:
            mark = styles[finding.grade](f"{finding.grade:<4}")
            self.stdout.write(f"  {mark}  {finding.subject:<14} {finding.words}")
            if finding.grade == Grade.BAD:
                bad.append(finding.subject)
        return bad


def _open(name: str, config: Config) -> Broker:
    if name not in BROKERS:
        allowed = ", ".join(sorted(BROKERS))
        raise CommandError(f"LIVE_BROKER is {name!r}; allowed are {allowed}")
    try:
        broker: Broker = import_string(BROKERS[name])(config=config)
    except ConfigError as error:
        raise CommandError(f"{name} cannot be used: {error}") from None
    return broker


def _symbol(text: str) -> str:
    try:
        return parse({"symbol": text, "side": "BUY", "quantity": 1}).symbol
    except InvalidSignal as error:
        raise CommandError(f"--symbol {text!r} {error.errors['symbol']}") from None


def _price(text: str | None) -> Decimal | None:
    if text is None:
        return None
    try:
        found: Decimal = reading.price(text)
    except ValueError:
        raise CommandError(f"--price {text!r}: a price above 0 is allowed") from None
    return found
