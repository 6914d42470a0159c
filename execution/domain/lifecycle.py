"""The states of a parent order and of its slices, and every transition that is allowed."""

from enum import StrEnum


class OrderStatus(StrEnum):
    DENIED = "DENIED"  # refused by us; never worked
    ACCEPTED = "ACCEPTED"  # planned and stored; nothing sent yet
    WORKING = "WORKING"
    PAUSED = "PAUSED"
    CANCELLING = "CANCELLING"  # no new child leaves; some are not yet terminal
    FILLED = "FILLED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"  # the window is over and a residual is left
    REJECTED = "REJECTED"  # the window is over and the broker refused every child
    OVERFILLED = "OVERFILLED"  # more was executed than ordered: stop, a person must look


class SliceStatus(StrEnum):
    PLANNED = "PLANNED"
    QUEUED = "QUEUED"  # a message for it was published; it may still be lost
    SENDING = "SENDING"  # claimed and its intent stored; the broker may have it
    UNKNOWN = "UNKNOWN"  # the broker's answer was ambiguous; ask before anything else
    WORKING = "WORKING"  # acknowledged by the broker
    CANCELLING = "CANCELLING"  # cancel requested, not confirmed; may still fill
    FILLED = "FILLED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"
    REJECTED = "REJECTED"  # refused by the broker
    SKIPPED = "SKIPPED"  # not sent, by our own decision


class IllegalTransition(Exception):
    """The lifecycle does not allow this change; the row was left as it was."""


P, S = OrderStatus, SliceStatus

ORDER_TRANSITIONS: dict[OrderStatus, frozenset[OrderStatus]] = {
    P.DENIED: frozenset(),
    # A fill can be known before the acknowledgement that would make the order WORKING.
    P.ACCEPTED: frozenset(
        {P.WORKING, P.PAUSED, P.CANCELLING, P.FILLED, P.EXPIRED, P.REJECTED, P.OVERFILLED}
    ),
    P.WORKING: frozenset({P.PAUSED, P.CANCELLING, P.FILLED, P.EXPIRED, P.REJECTED, P.OVERFILLED}),
    P.PAUSED: frozenset(
        {P.ACCEPTED, P.WORKING, P.CANCELLING, P.FILLED, P.EXPIRED, P.REJECTED, P.OVERFILLED}
    ),
    P.CANCELLING: frozenset({P.CANCELLED, P.FILLED, P.OVERFILLED}),
    # Late fills are real: they are booked after any end, and may complete the order.
    P.CANCELLED: frozenset({P.FILLED, P.OVERFILLED}),
    # REJECTED: the broker says only after the end that it refused every child.
    P.EXPIRED: frozenset({P.FILLED, P.OVERFILLED, P.REJECTED}),
    P.REJECTED: frozenset({P.EXPIRED, P.FILLED, P.OVERFILLED}),
    # A correction may take shares back; what it frees is not traded again.
    P.FILLED: frozenset({P.EXPIRED, P.OVERFILLED}),
    P.OVERFILLED: frozenset({P.FILLED, P.EXPIRED}),
}

SLICE_TRANSITIONS: dict[SliceStatus, frozenset[SliceStatus]] = {
    # FILLED: a broker that said "surely not accepted" and executes all the same is believed.
    S.PLANNED: frozenset({S.QUEUED, S.SENDING, S.SKIPPED, S.CANCELLED, S.FILLED}),
    # Back to PLANNED is a deferral: due again later.
    S.QUEUED: frozenset({S.PLANNED, S.SENDING, S.SKIPPED, S.CANCELLED, S.FILLED}),
    # Back to PLANNED needs the broker's certainty that nothing was accepted.
    S.SENDING: frozenset(
        {
            S.PLANNED,
            S.UNKNOWN,
            S.WORKING,
            S.CANCELLING,
            S.FILLED,
            S.CANCELLED,
            S.EXPIRED,
            S.REJECTED,
            S.SKIPPED,
        }
    ),
    # A definite "not found" sends the same id again, or gives the quantity back to the plan.
    S.UNKNOWN: frozenset(
        {
            S.PLANNED,
            S.SENDING,
            S.WORKING,
            S.CANCELLING,
            S.FILLED,
            S.CANCELLED,
            S.EXPIRED,
            S.REJECTED,
            S.SKIPPED,
        }
    ),
    S.WORKING: frozenset({S.CANCELLING, S.UNKNOWN, S.FILLED, S.CANCELLED, S.EXPIRED, S.REJECTED}),
    # Back to WORKING: the broker refused the cancel.
    S.CANCELLING: frozenset({S.WORKING, S.FILLED, S.CANCELLED, S.EXPIRED, S.REJECTED}),
    S.FILLED: frozenset({S.CANCELLED}),  # a correction took shares back
    S.CANCELLED: frozenset({S.FILLED, S.REJECTED}),  # the broker's reason may follow its end
    S.EXPIRED: frozenset({S.FILLED}),
    S.REJECTED: frozenset({S.FILLED}),
    S.SKIPPED: frozenset({S.FILLED}),
}

ORDER_LIVE = frozenset({P.ACCEPTED, P.WORKING, P.PAUSED, P.CANCELLING})
ORDER_SENDING = frozenset({P.ACCEPTED, P.WORKING})
ORDER_TERMINAL = frozenset(P) - ORDER_LIVE
ORDER_REFUSED = frozenset({P.DENIED, P.REJECTED})  # by us, or by the broker

SLICE_CLAIMABLE = frozenset({S.PLANNED, S.QUEUED})
# The leaves of these count as working (W): the broker may hold them.
SLICE_AT_BROKER = frozenset({S.SENDING, S.UNKNOWN, S.WORKING, S.CANCELLING})
SLICE_TERMINAL = frozenset(S) - SLICE_CLAIMABLE - SLICE_AT_BROKER


def has_failed(status: str, filled: int) -> bool:
    """Whether an order was refused by us or by the broker, or is over without a single share."""
    return status in ORDER_REFUSED or (status == P.EXPIRED and filled == 0)


def check_order(before: str, after: str) -> None:
    """Raise IllegalTransition unless an order may go from one status to the other."""
    if OrderStatus(after) not in ORDER_TRANSITIONS[OrderStatus(before)]:
        raise IllegalTransition(f"order: {before} -> {after}")


def check_slice(before: str, after: str) -> None:
    """Raise IllegalTransition unless a slice may go from one status to the other."""
    if SliceStatus(after) not in SLICE_TRANSITIONS[SliceStatus(before)]:
        raise IllegalTransition(f"slice: {before} -> {after}")


def end_of(*, quantity: int, filled: int, refused_all: bool, cancelled: bool) -> OrderStatus:
    """The status in which an order ends whose every slice is terminal."""
    if filled > quantity:
        return P.OVERFILLED
    if filled == quantity:
        return P.FILLED
    if cancelled:
        return P.CANCELLED
    return P.REJECTED if refused_all and filled == 0 else P.EXPIRED
