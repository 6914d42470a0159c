"""An order's state, rebuilt from nothing but its audit trail."""

from dataclasses import dataclass, field
from decimal import Decimal

from execution.models import Order, OrderEvent

UNSENT = ("PLANNED", "QUEUED")


@dataclass
class Rebuilt:
    status: str = ""
    slices: dict[int, str] = field(default_factory=dict)
    fills: dict[str, tuple[int, int, Decimal]] = field(default_factory=dict)  # by execution id

    @property
    def filled(self) -> int:
        return sum(quantity for _, quantity, _ in self.fills.values())

    @property
    def notional(self) -> Decimal:
        return sum((quantity * price for _, quantity, price in self.fills.values()), Decimal(0))

    def filled_of(self, sequence: int) -> int:
        return sum(quantity for part, quantity, _ in self.fills.values() if part == sequence)

    def apply(self, event: OrderEvent) -> None:
        data = event.data
        match event.kind:
            case "ORDER_ACCEPTED":
                self.status = "ACCEPTED"
                self.slices = dict.fromkeys(range(data["slices"]), "PLANNED")
            case "ORDER_DENIED":
                self.status = "DENIED"
            case "ORDER_STATUS":
                assert data["from"] == self.status
                self.status = data["to"]
            case "ORDER_AMENDED" | "RESIDUAL_PLANNED" | "SHARES_RETURNED":
                added = range(data["first_new_slice"], data["slices"])
                self.slices |= dict.fromkeys(added, "PLANNED")
            case "SLICE_SENDING":
                self.slices[data["slice"]] = "SENDING"
            case "SLICE_STATUS":
                self.slices[data["slice"]] = data["to"]
            case "SLICES_CHANGED":
                self.slices |= dict.fromkeys(data["slices"], data["to"])
            case "FILL" | "LATE_FILL" | "FILL_CORRECTED":
                self.fills[data["execution_id"]] = (
                    data["slice"],
                    data["quantity"],
                    Decimal(data["price"]),
                )


def rebuild(order: Order) -> Rebuilt:
    rebuilt = Rebuilt()
    for event in order.events.order_by("id"):
        rebuilt.apply(event)
    return rebuilt


def assert_audit_trail_matches(order: Order) -> None:
    order.refresh_from_db()
    told = rebuild(order)
    assert told.status == order.status
    assert told.filled == order.filled_quantity
    assert told.notional == order.filled_notional
    for part in order.slices.all():
        status = "PLANNED" if part.status in UNSENT else part.status
        assert (told.slices[part.sequence], told.filled_of(part.sequence)) == (
            status,
            part.filled_quantity,
        )
