"""Where a rehearsal may be played, and in which symbol."""

from collections.abc import Iterable, Iterator
from datetime import timedelta

from execution.context import Context
from execution.domain.lifecycle import ORDER_LIVE
from execution.market import clock
from execution.models import Bar, Order
from monitoring.rehearsal.scene import ACCOUNT, CannotPlay, Scene

MADE_UP = "REHEARSE"
TRIALS = ("simulated", "replay")
LATELY = timedelta(minutes=10)


def refuse_elsewhere(context: Context, scenes: Iterable[type[Scene]]) -> None:
    """Raises CannotPlay."""
    config = context.config
    if config.trading_mode != "paper":
        raise CannotPlay("a rehearsal sends orders and halts for practice: on paper only")
    if config.account == ACCOUNT:
        raise CannotPlay(f"the configured account is {ACCOUNT!r}, which a rehearsal cleans up")
    needy = [scene.name for scene in scenes if scene.needs_market]
    if needy and config.market.source not in TRIALS:
        raise CannotPlay(
            f"market.source is {config.market.source!r}: {', '.join(needy)} needs"
            f" {' or '.join(TRIALS)}; the other scenes play with --scene NAME"
        )
    if (speed := clock.speed()) != 1:
        raise CannotPlay(f"the market runs {speed:g} times as fast as in reality: rehearse at 1")


def own_symbol(context: Context) -> str:
    """One that trades and in which nobody else has a live order. Raises CannotPlay."""
    for symbol in _candidates(context):
        if not others_trade(symbol) and _trades(symbol, context):
            return symbol
    raise CannotPlay("no symbol trades now in which nobody has a live order")


def others_trade(symbol: str) -> bool:
    live = Order.objects.filter(symbol=symbol, status__in=sorted(ORDER_LIVE))
    return live.exclude(account=ACCOUNT).exists()


def _candidates(context: Context) -> Iterator[str]:
    if context.config.market.source != "replay":
        yield MADE_UP
        return
    now = context.now()
    lately = Bar.objects.filter(start_at__gt=now - LATELY, start_at__lte=now)
    yield from lately.order_by("symbol").values_list("symbol", flat=True).distinct()


def _trades(symbol: str, context: Context) -> bool:
    if context.config.market.source not in TRIALS:
        return True  # for scenes that need no quote
    quote = context.market.quote(symbol, context.now())
    return quote is not None and quote.halt is None
