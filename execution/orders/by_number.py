"""The order that a Python caller names by its number."""

from execution.domain.reading import whole
from execution.models import Order

_NUMBER = whole(2**63 - 1)


def find(order_id: object) -> Order:
    """Raises ValueError for what is no number, or Order.DoesNotExist; both say what was given."""
    try:
        number: int = _NUMBER(order_id)
    except ValueError as error:
        raise ValueError(f"order_id: {error}") from None
    if (order := Order.objects.filter(pk=number).first()) is None:
        raise Order.DoesNotExist(f"order_id {number}: no such order is stored")
    return order
