"""What the paper broker has on its book."""

from django.utils import timezone

from execution.models import PaperExecution, PaperOrder


def filled_at_paper(client_order_id: str, account: str) -> PaperOrder:
    """BUY 5 AAPL at 150, filled by one execution just now."""
    now = timezone.now()
    order = PaperOrder.objects.create(
        client_order_id=client_order_id,
        account=account,
        symbol="AAPL",
        side="BUY",
        quantity=5,
        limit_price=150,
        status="FILLED",
        filled_quantity=5,
        accepted_at=now,
        changed_at=now,
        matched_until=now,
    )
    PaperExecution.objects.create(order=order, quantity=5, price=150, commission=1, executed_at=now)
    return order
