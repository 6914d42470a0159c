"""A client reference stands for one order: the same signal again is that order, another one is
refused."""

from collections.abc import Callable, Generator, Mapping, Sequence

from execution.domain.order_terms import differences, terms_of
from execution.domain.signal import MOST_ERRORS, InvalidSignal, Signal
from execution.models import Order
from execution.orders.draft import Draft

ELSE = " Ask under another reference, or for the same"


class ReferenceConflict(InvalidSignal):
    """The reference belongs to an order that was asked for with other terms."""


def slots(
    signals: Sequence[Signal],
    known: Mapping[tuple[str, str], Order],
    draft: Callable[[int], Draft],
    own_settings: Mapping[str, object],
) -> Generator[int, None, list[Draft | Order]]:
    """For each signal the order that exists, or the draft of its index; one for one reference.
    Yields how many signals are done.

    Raises InvalidSignal, keyed by `index.field` in a batch, or ReferenceConflict where nothing else
    is wrong.
    """
    found: list[Draft | Order] = []
    drafted: dict[tuple[str, str], Draft] = {}
    conflicts: dict[str, str] = {}
    errors: dict[str, str] = {}
    for index, signal in enumerate(signals):
        key = (signal.account, signal.client_reference or "")
        slot = known.get(key) or drafted.get(key) if signal.client_reference else None
        prefix = f"{index}." if len(signals) > 1 else ""
        if slot is not None:
            order = slot.order if isinstance(slot, Draft) else slot
            if wrong := _conflict(signal, order, own_settings):
                conflicts[f"{prefix}client_reference"] = wrong
        else:
            try:
                slot = drafted[key] = draft(index)
            except InvalidSignal as error:
                errors |= {f"{prefix}{name}": text for name, text in error.errors.items()}
                if len(errors) > MOST_ERRORS:
                    break
                continue
        found.append(slot)
        yield index + 1
    if errors:
        raise InvalidSignal(errors | conflicts)
    if conflicts:
        raise ReferenceConflict(conflicts)
    return found


def _conflict(signal: Signal, order: Order, own_settings: Mapping[str, object]) -> str:
    """Empty for an order whose terms are the same, its caller's own settings included. One without
    stored terms is older than they are; what it has of them is compared."""
    now = {**terms_of(signal), **own_settings}
    names = ("symbol", "side", "quantity")
    asked = (
        order.asked | order.own_settings
        if order.asked
        else {name: getattr(order, name) for name in names}
    )
    known = now if order.asked else {name: now[name] for name in names}
    wrong = differences(asked, known)
    if not wrong:
        return ""
    owner = f"order {order.pk}" if order.pk else "another order of this batch"
    words = f"{order.side} {order.quantity:,} {order.symbol}"
    return f"belongs to {owner}, {words}, whose terms differ: {'; '.join(wrong)}.{ELSE}"
