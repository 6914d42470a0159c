"""Shares appear in the account at the broker that no order of ours bought."""

import secrets
from decimal import Decimal

from typing_extensions import override

from execution.domain.lifecycle import SliceStatus
from execution.domain.reconciliation import Kind
from execution.models import BrokerDifference, PaperExecution, PaperOrder
from execution.reconciliation import account_reconciliation, break_acceptance
from monitoring.rehearsal.clean_up import PAPER_ID
from monitoring.rehearsal.scene import ACCOUNT, BY, Scene, Seen

SHARES = 5
PRICE = Decimal("0.01")  # no difference in cash that would count


class PositionBreak(Scene):
    name = "position-break"
    title = "the broker has shares that we did not buy"
    section = "BROKER_DIFFERENCE"
    needs_market = False

    @override
    def set_up(self) -> str:
        # What differed before is no part of the scene.
        self._compare(thorough=False)
        last = BrokerDifference.objects.order_by("-pk").values_list("pk", flat=True).first()
        self._before = last or 0
        self._deliver()
        symbol = self.practice.symbol
        return (
            f"The broker's statement of account {ACCOUNT} shows {SHARES} {symbol} more than"
            f" yesterday. No order of ours bought them. The broker says on the telephone: they"
            " were delivered by a corporate action, and are yours."
        )

    def _deliver(self) -> None:
        now = self.practice.context.now()
        order = PaperOrder.objects.create(
            client_order_id=PAPER_ID + secrets.token_hex(8),
            account=ACCOUNT,
            symbol=self.practice.symbol,
            side="BUY",
            quantity=SHARES,
            limit_price=PRICE,
            status=SliceStatus.FILLED,
            filled_quantity=SHARES,
            accepted_at=now,
            changed_at=now,
            matched_until=now,
        )
        PaperExecution.objects.create(
            order=order, quantity=SHARES, price=PRICE, commission=0, executed_at=now
        )

    @override
    def look(self) -> Seen:
        found = self._found()
        if found is None:
            return Seen()
        if found.gone_at_real is None:
            return Seen(f"The comparison shows it: {found.words}. Nobody has accepted it yet.")
        if not found.accepted_by:
            return Seen("the break is gone, and nobody had accepted it.", wrong=True)
        if not found.accepted_reason.strip():
            return Seen(f"{found.accepted_by} accepted it without a reason.", wrong=True)
        return Seen(
            f"compared, then accepted by {found.accepted_by}: {found.accepted_reason}", done=True
        )

    @override
    def solution(self) -> str:
        return (
            f"  deepstack reconcile {ACCOUNT}\n"
            "compares with the broker. What the broker has explained is accepted, with the"
            " reason:\n"
            f"  deepstack accept-break {self.practice.symbol} --account {ACCOUNT}"
            ' --reason "..." --by NAME'
        )

    @override
    def solve(self) -> str:
        context = self.practice.context
        self._compare(thorough=True)
        found = break_acceptance.find(ACCOUNT, self.practice.symbol, context)
        break_acceptance.accept(
            found.pk, by=BY, reason="delivered by a corporate action", now=context.now()
        )
        return ""

    def _compare(self, *, thorough: bool) -> None:
        account_reconciliation.compare(
            ACCOUNT,
            self.practice.context,
            thorough=thorough,
            patience=account_reconciliation.PATIENCE,
        )

    def _found(self) -> BrokerDifference | None:
        rows = BrokerDifference.objects.filter(
            pk__gt=self._before, account=ACCOUNT, kind=Kind.POSITION, subject=self.practice.symbol
        )
        return rows.order_by("pk").last()
