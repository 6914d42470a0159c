"""Why an order ended with shares that were not executed: the cause that most of them share."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from execution.domain.lifecycle import SliceStatus
from execution.domain.risk_checks.codes import CODES

S = SliceStatus

REFUSED = "REFUSED"
BROKER_CANCELLED = "BROKER_CANCELLED"
BROKER_UNAVAILABLE = "BROKER_UNAVAILABLE"
NEVER_ARRIVED = "NEVER_ARRIVED"
LIMIT_NOT_REACHED = "LIMIT_NOT_REACHED"
NOT_FILLED = "NOT_FILLED"
CANCELLED = "CANCELLED"
WINDOW_OVER = "WINDOW_OVER"

_CODE = re.compile(r"[A-Z][A-Z_]*[A-Z](?=$|:)")
# A slice's end that says only that its time was over; what kept it until then says why.
_NO_REASON = frozenset({"", WINDOW_OVER, "MISSED", "MESSAGE_RATE", "CLAIM_LOST"})
# Nothing was to be sent: the shares were another slice's.
_NOTHING_MISSED = frozenset({"AHEAD_OF_CURVE", "BELOW_MIN_SLICE", "NOTHING_LEFT"})
_NOT_REACHED = "the market did not come to the limit of"
_NOT_TAKEN = "worked until its slice window ended and was not filled"
_PLANNED_ANEW = "the order was amended"
_CANCELLED_WITH_ORDER = "the order was cancelled"


@dataclass(frozen=True, slots=True)
class EndedSlice:
    """One slice of an order whose slices have all ended, in shares.

    `held_back`: why it was last put off, as text with a code; `capped`: it was sent smaller than
    wanted because of the participation cap.
    """

    status: str
    reason: str
    planned: int
    filled: int
    sent: bool
    held_back: str = ""
    capped: bool = False


@dataclass(frozen=True, slots=True)
class Cause:
    """`code` is stable; `words` go after "not executed:"; `shares` it kept from being executed;
    `alone`: there was no other cause."""

    code: str
    words: str
    shares: int
    alone: bool


def dominating(
    slices: Iterable[EndedSlice], *, rest: int, limit: str = "", cancelled: str = ""
) -> Cause | None:
    """The cause by which most of the `rest` was not executed, each slice counted with the shares
    of the plan that it missed; None where no slice has one.

    `limit`: the order's own limit price, empty without one. `cancelled`: how the order was
    cancelled, where it was; that is then the cause.
    """
    if cancelled:
        return Cause(CANCELLED, cancelled, rest, alone=True)
    shares: dict[tuple[str, str], int] = {}
    for each in slices:
        missed = each.planned - each.filled
        if missed > 0 and (cause := _cause(each, limit)) is not None:
            shares[cause] = shares.get(cause, 0) + missed
    if not shares:
        return None
    by_code: dict[str, int] = {}
    for (code, _), missed in shares.items():
        by_code[code] = by_code.get(code, 0) + missed
    code = max(by_code, key=lambda each: by_code[each])
    words = max((each for each in shares if each[0] == code), key=lambda each: shares[each])[1]
    return Cause(code, words, min(by_code[code], rest), alone=len(by_code) == 1)


def sentence(rest: int, quantity: int, cause: Cause | None) -> str:
    """The reason with which an order ends that has a rest."""
    said = f"{rest:,} of {quantity:,} not executed"
    if cause is None:
        return said
    return f"{said}{':' if cause.alone else ', most of it:'} {cause.words}"


def by_the_market(reason: str) -> bool:
    """Whether an order ended with this reason because nobody traded at its price."""
    return _NOT_REACHED in reason or _NOT_TAKEN in reason


def _cause(each: EndedSlice, limit: str) -> tuple[str, str] | None:
    """(code, words)"""
    code = code_of(each.reason)
    if each.status == S.REJECTED:
        return REFUSED, f"refused by the broker ({each.reason})"
    if code == BROKER_CANCELLED:
        said = each.reason.removeprefix(code).strip(": ")
        return code, f"cancelled by the broker, unasked{f' ({said})' if said else ''}"
    if each.status == S.FILLED:
        return _held("PARTICIPATION_CAP") if each.capped else None
    if code in _NOTHING_MISSED or each.reason == _PLANNED_ANEW:
        return None
    if each.reason == _CANCELLED_WITH_ORDER:
        return CANCELLED, _CANCELLED_WITH_ORDER
    if each.sent and each.status in (S.CANCELLED, S.EXPIRED) and not code:
        if limit:
            return LIMIT_NOT_REACHED, f"{_NOT_REACHED} {limit}"
        return NOT_FILLED, _NOT_TAKEN
    said = each.reason.removeprefix(f"{WINDOW_OVER}: ")
    return _held(said if code_of(said) not in _NO_REASON else each.held_back)


def _held(reason: str) -> tuple[str, str]:
    code = code_of(reason)
    if code == BROKER_UNAVAILABLE:
        said = reason.removeprefix(code).strip(": ")
        return code, f"the broker could not be reached ({said})"
    if code == NEVER_ARRIVED:
        return code, "it never arrived at the broker"
    if code in CODES:
        return code, f"held back as {CODES[code].meaning} ({code})"
    if code in _NO_REASON:
        return WINDOW_OVER, "its slice window ended before it could be sent"
    return code, f"held back ({reason})"


def code_of(reason: str) -> str:
    """The stable code at the head of a slice's reason; empty where there is none."""
    found = _CODE.match(reason)
    return found.group() if found else ""
