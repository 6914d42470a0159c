"""What only holds shares back: they return to the plan, and leave while the order has time."""

from enum import StrEnum

from execution.domain.lifecycle import SliceStatus
from execution.domain.risk_checks import CODES, PASSING

RECOVERY_MODE = "recovery mode"  # who halts the system after a restore


class Hold(StrEnum):
    """Why a child was cancelled while its order's time lasts; its slice's reason begins with it."""

    HALTED = "HALTED"  # a trading state, until a named person resumes trading
    PAUSED = "PAUSED"  # the order itself
    # The order's limit is stricter by now than the child's, or the order ends later than the child,
    # which had all its shares.
    AMENDED = "AMENDED"


# Never sent, and nothing is said against sending the shares later. The participation cap is the
# order's own pace: what it leaves at the end is left.
UNSENT = (PASSING - {"PARTICIPATION_CAP"}) | {"MISSED", "MESSAGE_RATE", "NEVER_ARRIVED"}


def code_of(reason: str) -> str:
    """The stable code that a slice's reason begins with, or its first words."""
    return reason.partition(":")[0]


def is_refused(status: str, reason: str) -> bool:
    """Whether a slice ended by a fact: the broker's refusal, or one of ours that does not pass."""
    code = code_of(reason)
    ours = status == SliceStatus.SKIPPED and code in CODES and code not in PASSING
    return ours or status == SliceStatus.REJECTED
