"""A strategy sends the same order again and again."""

from django.db.models import Q, QuerySet
from typing_extensions import override

from execution.domain.exchange_time import exchange_time
from execution.models import Order, TradingState, TradingStateChange
from execution.risk import kill_switch
from execution.risk.kill_switch import Scope, State
from monitoring.rehearsal.scene import ACCOUNT, BY, NEVER_FILLS, STRATEGY, Practice, Scene, Seen

EVERY = 2.0  # seconds
# A halt of the symbol is not enough: what runs away may go on in another one.
COVERING = (
    Q(scope=Scope.SYSTEM)
    | Q(scope=Scope.ACCOUNT, key=ACCOUNT)
    | Q(scope=Scope.STRATEGY, key=STRATEGY)
)


class Runaway(Scene):
    name = "runaway"
    title = "a strategy sends order after order"
    section = "TRADING_HALTED"
    needs_market = False

    def __init__(self, practice: Practice) -> None:
        super().__init__(practice)
        self._next = EVERY
        last = TradingStateChange.objects.order_by("-pk").values_list("pk", flat=True).first()
        self._before = last or 0

    @override
    def set_up(self) -> str:
        since = exchange_time(self._send().created_at)
        return (
            f"Since {since} the strategy {STRATEGY} has sent an order every two seconds, always"
            f" the same: BUY 10 {self.practice.symbol} in account {ACCOUNT}. Its owner says that"
            " this is not meant to be, and needs time to find the cause."
        )

    @override
    def go_on(self, seconds: float) -> None:
        if seconds >= self._next and not self._halts().exists():
            self._send()
            self._next = seconds + EVERY

    @override
    def look(self) -> Seen:
        halt = self._halts().first()
        if halt is None:
            return self._of_symbol()
        stopped = f"stopped by {halt.changed_by} with a halt of {_scope(halt)}"
        holding = TradingState.objects.filter(COVERING, state=State.HALTED).first()
        if holding is not None:
            return Seen(
                f"It is {stopped}. The owner has found the cause, and the strategy sends no more:"
                f" trading may go on, but {_scope(holding)} is still halted."
            )
        return Seen(f"{stopped}, and trading was resumed once the cause was found.", done=True)

    @override
    def solution(self) -> str:
        return (
            f'  deepstack halt --strategy {STRATEGY} --reason "..." --by NAME\n'
            "and, once the owner has found the cause:\n"
            f'  deepstack resume-trading --strategy {STRATEGY} --reason "..." --by NAME\n'
            "Or both in the back office: Trading states."
        )

    @override
    def solve(self) -> str:
        """The clean-up resumes; what a person has halted more widely is the person's to lift."""
        if not self._halts().exists():
            kill_switch.halt(
                scope=Scope.STRATEGY,
                key=STRATEGY,
                by=BY,
                reason="it sends order after order",
                now=self.practice.context.now(),
            )
        wide = TradingState.objects.filter(scope=Scope.SYSTEM, state=State.HALTED).first()
        return f"You still have to lift the halt of {_scope(wide)}." if wide else ""

    def _send(self) -> Order:
        terms = {"quantity": 10, "algorithm": "TWAP", "slices": 2, "window_minutes": 5}
        return self.practice.submit(**terms, limit_price=NEVER_FILLS)

    def _halts(self) -> "QuerySet[TradingStateChange]":
        changes = TradingStateChange.objects.filter(COVERING, pk__gt=self._before)
        return changes.filter(after=State.HALTED).order_by("pk")

    def _of_symbol(self) -> Seen:
        of_symbol = {"scope": Scope.SYMBOL, "key": self.practice.symbol, "state": State.HALTED}
        if not TradingState.objects.filter(**of_symbol).exists():
            return Seen()
        return Seen(
            f"{self.practice.symbol} is halted, but the strategy still sends, and could send in"
            " other symbols as well."
        )


def _scope(row: TradingState | TradingStateChange) -> str:
    return f"{row.scope.lower()} {row.key}".strip()
