"""What one message makes of one order's row. Nothing here reads or writes the database.

A state comes from what the broker says of an order's status and from its lists, never from an
error; shares come from executions alone.
"""

from enum import Enum, auto

from execution.broker.ibkr.error_codes import ID_TAKEN, Verdict, is_refusal, verdict
from execution.broker.ibkr.messages import CompletedSeen, ErrorSeen, OpenSeen, StatusSeen
from execution.models import IbkrOrder

S = IbkrOrder.Stage

AT_BROKER = frozenset({S.SENDING, S.WORKING, S.CANCELLING})
ENDED = frozenset({S.FILLED, S.CANCELLED, S.REJECTED})
_ALIVE = frozenset({"PreSubmitted", "Submitted"})
_CANCELLED = frozenset({"Cancelled", "ApiCancelled"})


class Next(Enum):
    """What a message asks for beside the change of the row."""

    NOTHING = auto()
    LOOK = auto()  # compare with the broker's lists
    CANCEL_STRAY = auto()  # a second order works under the same reference


def on_status(row: IbkrOrder, seen: StatusSeen) -> Next:
    """An orderStatus; it may come twice, late, or never."""
    if row.perm_id and seen.perm_id and row.perm_id != seen.perm_id:
        return Next.LOOK
    row.perm_id = row.perm_id or seen.perm_id or None
    row.broker_status = seen.status
    row.reported_filled = seen.filled
    return _status(row, seen.status, refreshing=False)


def on_open(row: IbkrOrder, seen: OpenSeen, *, refreshing: bool) -> Next:
    """An openOrder; `refreshing` when it may be the answer to a question for open orders, which
    proves that an order lives whatever we believed."""
    if row.order_id is None:
        row.order_id = seen.order_id
    elif seen.order_id != row.order_id and seen.perm_id != row.perm_id:
        return Next.CANCEL_STRAY if seen.status in _ALIVE else Next.NOTHING
    row.perm_id = row.perm_id or seen.perm_id or None
    row.broker_status = seen.status
    return _status(row, seen.status, refreshing=refreshing)


def _status(row: IbkrOrder, status: str, *, refreshing: bool) -> Next:
    if status == "Filled":
        row.stage = S.FILLED
    elif row.stage == S.FILLED:
        pass
    elif status in _CANCELLED:
        row.stage = _end(row)
    elif status == "Inactive":
        return _inactive(row)
    elif row.stage in ENDED and not refreshing:
        # The broker does not take an end back; if this one does, its list will say so.
        return Next.LOOK if status in _ALIVE else Next.NOTHING
    elif status == "PendingCancel":
        row.stage = S.CANCELLING
    elif status in _ALIVE:
        row.stage = S.WORKING
    return Next.NOTHING


def _end(row: IbkrOrder) -> str:
    refused = is_refusal(row.code) and not row.reported_filled
    return S.REJECTED if refused else S.CANCELLED


def _inactive(row: IbkrOrder) -> Next:
    """Refused, or not yet transmitted, or held until shares to borrow are located."""
    if is_refusal(row.code):
        row.stage = S.REJECTED
        return Next.NOTHING
    if row.stage == S.SENDING:
        row.stage = S.WORKING
    return Next.LOOK


def on_completed(row: IbkrOrder, seen: CompletedSeen) -> Next:
    """The broker's list of today's ended orders."""
    row.perm_id = row.perm_id or seen.perm_id or None
    row.broker_status = seen.status
    if row.stage not in ENDED:
        row.reported_filled = max(row.reported_filled, seen.filled)
    if seen.status == "Filled":
        row.stage = S.FILLED
    elif row.stage in (S.FILLED, S.REJECTED):
        pass
    elif seen.status == "Inactive":
        row.stage = S.REJECTED
    elif seen.status in _CANCELLED:
        row.stage = _end(row)
    if row.stage != S.FILLED and not row.text:
        row.text = seen.text[:300]
    return Next.NOTHING


def on_execution(row: IbkrOrder, executed: int) -> None:
    """Shares were executed, `executed` in total: an orderStatus may never follow."""
    if executed >= row.quantity:
        row.stage = S.FILLED
    elif row.stage not in AT_BROKER | ENDED or row.stage == S.SENDING:
        row.stage = S.WORKING


def on_error(row: IbkrOrder, seen: ErrorSeen) -> Next:
    """An error about this order's id. It ends nothing but an order that was never acknowledged."""
    meaning = verdict(seen.code)
    if meaning is Verdict.NOTE:
        row.text = row.text or seen.text[:300]
        return Next.NOTHING
    if row.stage in ENDED:
        _reason_after_end(row, seen, meaning)
        return Next.NOTHING
    if row.cancel_sent_at_real is None or row.stage == S.SENDING:
        row.code, row.text = str(seen.code), seen.text[:300]
    refused_new = row.stage == S.SENDING and is_new(row)
    if meaning is Verdict.REFUSED and (refused_new or row.broker_status == "Inactive"):
        row.stage = S.REJECTED
        return Next.NOTHING
    return Next.LOOK


def _reason_after_end(row: IbkrOrder, seen: ErrorSeen, meaning: Verdict) -> None:
    """TWS says "Cancelled" first and why it refuses afterwards, or the other way round. A cancel
    that was asked for explains the end itself, and what is said then is about the cancel."""
    asked = row.cancel_asked_at_real is not None
    if row.stage != S.CANCELLED or row.code or row.reported_filled or asked:
        return
    row.code, row.text = str(seen.code), seen.text[:300]
    if meaning is Verdict.REFUSED:
        row.stage = S.REJECTED


def is_new(row: IbkrOrder) -> bool:
    """Surely unknown to the broker before this attempt, which it has not acknowledged."""
    return row.attempt == 1 and not row.perm_id


def on_absence(row: IbkrOrder) -> None:
    """In none of the broker's lists, twice, with the link up all the time between."""
    if row.stage != S.SENDING:
        row.stage = S.LOST
        row.text = "in none of the broker's lists"
    elif row.code == str(ID_TAKEN):
        row.stage, row.order_id, row.code = S.ABSENT, None, ""
    elif row.code:
        row.stage = S.REJECTED
    else:
        row.stage = S.ABSENT


def split_exec_id(exec_id: str) -> tuple[str, int]:
    """(the execution, its revision): ids equal but for the digits after the last dot are one
    execution, of which the highest is true."""
    stem, dot, revision = exec_id.rpartition(".")
    if not dot or not revision.isdigit():
        return exec_id, 0
    return stem, int(revision)
