"""The exchange has resumed trading, and nobody has told the service."""

from datetime import datetime, timedelta

from typing_extensions import override

from execution.domain.exchange_time import exchange_time
from execution.models import MarketHalt, Order
from monitoring.rehearsal.clean_up import HALT_REASON
from monitoring.rehearsal.conditions import others_trade
from monitoring.rehearsal.scene import CannotPlay, Scene, Seen, described

LASTED = timedelta(minutes=10)
PRECISION = timedelta(minutes=1)


class ExchangeHalt(Scene):
    name = "exchange-halt"
    title = "an order waits for the end of a trading halt"
    section = "SYMBOL_HALTED"
    order: Order
    halt: MarketHalt

    @override
    def set_up(self) -> str:
        self._refuse_among_others()
        now = self.practice.context.now().replace(second=0, microsecond=0)
        self._resumed = now - timedelta(minutes=1)
        self.halt = MarketHalt.objects.create(
            symbol=self.practice.symbol, start_at=self._resumed - LASTED, reason=HALT_REASON
        )
        self.order = self.practice.accepted(
            quantity=500, algorithm="TWAP", window_minutes=30, slices=30
        )
        return (
            f"Nothing leaves of {described(self.order)}: its slices wait with SYMBOL_HALTED. The"
            f" exchange had halted the symbol at {exchange_time(self.halt.start_at)}. The"
            f" exchange's own page says that trading resumed at {exchange_time(self._resumed)}."
        )

    @override
    def look(self) -> Seen:
        self._refuse_among_others()
        row = MarketHalt.objects.filter(pk=self.halt.pk).first()
        if row is None:
            return Seen("the halt was deleted: it is missing in the record now.", wrong=True)
        if row.end_at is None:
            return Seen()
        if abs(row.end_at - self._resumed) < PRECISION:
            return Seen("the halt has its end, and the order's slices leave again.", done=True)
        return Seen(self._other_end(row.end_at))

    def _refuse_among_others(self) -> None:
        """The halt would hold their orders, too."""
        if others_trade(self.practice.symbol):
            raise CannotPlay(f"somebody else trades {self.practice.symbol} now: rehearse once more")

    def _other_end(self, end: datetime) -> str:
        return (
            f"The halt's end was entered as {exchange_time(end)}; the exchange's page says"
            f" {exchange_time(self._resumed)}."
        )

    @override
    def solution(self) -> str:
        return (
            f"In the back office, Trading halts, {self.practice.symbol}: enter"
            f" {exchange_time(self._resumed)} as its end (times are in ET), and save."
        )

    @override
    def solve(self) -> str:
        MarketHalt.objects.filter(pk=self.halt.pk).update(end_at=self._resumed)
        return ""
