from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Sequence
from datetime import date, time
from typing import Any

from django.core.management import call_command
from django.core.management.base import CommandError
from rich.console import Console
from typing_extensions import override

from deepstack.config import current
from execution import context, heartbeat
from execution.domain import reading
from execution.domain.exchange_time import exchange_time
from execution.domain.lifecycle import OrderStatus
from execution.entry import acceptance, submission
from execution.management import progress
from execution.management.console import BadInput, OperatorCommand, argument
from execution.management.demonstration import (
    CannotDemonstrate,
    Scenario,
    bar_scenarios,
    fills_within_bars,
    guide_scenarios,
)
from execution.market import clock
from execution.market.calendar import NEW_YORK, ExchangeCalendar, new_york
from execution.models import Bar, Heartbeat, Order
from execution.orders import queries

START = time(10)
USUAL_SPEED = 60.0
PATIENCE = 60.0  # seconds beyond the last window, for the last cancels to be confirmed


class Command(OperatorCommand):
    help = (
        "Show the service at work: three orders at once, their progress, their reports and the"
        " day's summary. With --symbol on stored bars, else the deployment guide's scenarios."
        " Exit code 0 only if every order was filled."
    )
    speaks_json = False

    @override
    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--minutes", type=_minutes, help="windows of the guide's scenarios")
        parser.add_argument("--symbol", help="whose stored bars to trade on")
        parser.add_argument(
            "--date", type=argument(reading.day), help="the day of the bars, such as 2024-06-12"
        )
        parser.add_argument("--speed", type=_speed, help="market seconds in each second")
        parser.add_argument(
            "--start-clock-only",
            action="store_true",
            help="set the market clock to 10:00 New York of the day; before the workers start",
        )

    @override
    def handle(self, *args: Any, **options: Any) -> None:
        symbol, day = options["symbol"], options["date"]
        if bool(symbol) != bool(day):
            raise BadInput("--symbol and --date belong together: give both or neither")
        if symbol and options["minutes"]:
            raise BadInput("--minutes is for the guide's scenarios, without --symbol")
        if not symbol and (options["start_clock_only"] or options["speed"]):
            raise BadInput("--speed and --start-clock-only need --symbol and --date")
        if options["start_clock_only"]:
            self._start_clock(symbol, day, options["speed"] or USUAL_SPEED)
        elif symbol:
            self._on_bars(symbol, day, options["speed"])
        else:
            self._by_the_guide(options["minutes"] or 1.0)

    def _start_clock(self, symbol: str, day: date, speed: float) -> None:
        _require_bars(symbol, day)
        start = new_york(day, START)
        clock.start_clock(start, speed)
        self.stdout.write(
            f"the market clock shows {exchange_time(start)} and runs at {speed:g} times real time"
        )

    def _by_the_guide(self, minutes: float) -> None:
        self.stdout.write(
            f"The deployment guide's three scenarios; the windows of an hour and more are"
            f" shortened to {minutes:g} minute{'' if minutes == 1 else 's'}."
        )
        self._show(guide_scenarios(minutes))

    def _on_bars(self, symbol: str, day: date, speed: float | None) -> None:
        _require_bars(symbol, day)
        now = clock.now().astimezone(NEW_YORK)
        if now.date() != day or (speed or clock.speed()) != clock.speed():
            raise BadInput(
                f"the market clock shows {exchange_time(now)} at speed {clock.speed():g}: run this"
                " with --start-clock-only first, then start the workers"
            )
        self.stdout.write(
            f"{symbol} as it traded on {day}; it is {now:%H:%M} ET, and a market minute"
            f" takes {60 / clock.speed():g} s."
        )
        try:
            scenarios = bar_scenarios(
                symbol, context.default().market, now=clock.now(), speed=clock.speed()
            )
        except CannotDemonstrate as error:
            raise CommandError(str(error)) from None
        self._show(scenarios, on_bars=True)

    def _show(self, scenarios: Sequence[Scenario], *, on_bars: bool = False) -> None:
        _require_stack()
        orders = acceptance.accept_all([each.signal for each in scenarios], context.default())
        console = Console(highlight=False)
        for scenario, order in zip(scenarios, orders, strict=True):
            text = f"{progress.title(order)}: {scenario.title}"
            console.print(text, markup=False, soft_wrap=True)
        orders = _watched(orders, console)
        problems = self._reports(orders, console)
        if on_bars:
            problems += _range_problems(orders, console)
        call_command("summary", stdout=self.stdout)
        if problems:
            raise CommandError("; ".join(problems))
        self.stdout.write("every order was filled")

    def _reports(self, orders: Sequence[Order], console: Console) -> list[str]:
        market, now = context.default().market, context.default().now()
        for order in orders:
            report = queries.report(order, market, now=now)
            console.print()
            console.print(progress.report_table(report))
            if order.algorithm == "VWAP":
                error = progress.bps(report["vwap_slippage_bps"])
                text = f"  tracking error against the market VWAP of its window: {error}"
                console.print(text, soft_wrap=True)
        console.print()
        return [
            f"{progress.title(order)} ended {order.status} {order.status_reason}".strip()
            for order in orders
            if order.status != OrderStatus.FILLED
        ]


def _watched(orders: Sequence[Order], console: Console) -> list[Order]:
    last = max(clock.real_time_of(order.end_at) for order in orders)
    rest = (last - clock.real_time_of(clock.now())).total_seconds()
    watch = progress.Watch(console, context.default().market)
    try:
        return watch.until_done([order.pk for order in orders], patience=max(rest, 0) + PATIENCE)
    except KeyboardInterrupt:
        raise CommandError("stopped looking; the orders go on", returncode=130) from None


def _range_problems(orders: Sequence[Order], console: Console) -> list[str]:
    inside, total = fills_within_bars([order.pk for order in orders])
    console.print(f"fills within the bars' ranges: {inside} of {total}")
    if inside == total:
        return []
    if current().paper.impact.coefficient:
        console.print("the others lie where paper orders have moved the price (paper.impact)")
        return []
    return [f"{total - inside} fills lie outside the bars' ranges"]


def _require_stack() -> None:
    submission.require_worker()
    if not heartbeat.alive(Heartbeat.Kind.DISPATCH):
        raise CommandError("no live dispatcher: start one with `manage.py dispatch`")


def _require_bars(symbol: str, day: date) -> None:
    if current().market.source != "replay":
        raise BadInput("stored bars need MARKET__SOURCE=replay, for every process")
    session = ExchangeCalendar().session_on(day)
    if session is None:
        raise BadInput(f"--date: the exchange is closed on {day}")
    within = Bar.objects.filter(
        symbol=symbol, start_at__gte=session.open, start_at__lt=session.close
    )
    if not within.exists():
        raise BadInput(f"no bars of {symbol} on {day} are stored: run `manage.py load_bars` first")


def _minutes(text: str) -> float:
    return _positive(text, "minutes", 24 * 60)


def _speed(text: str) -> float:
    return _positive(text, "market seconds in each second", 3600)


def _positive(text: str, what: str, most: float) -> float:
    value = reading.number(text)
    if value is None or not 0 < value <= most:
        raise ArgumentTypeError(f"{what}: above 0 and up to {most:g}, got {reading.shown(text)}")
    return float(value)
