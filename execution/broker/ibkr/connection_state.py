"""Whether orders may leave: what is known of the connection, kept in memory and written for all."""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.utils import timezone

from execution.broker.ibkr.endpoint import ONLY_ONE
from execution.broker.ibkr.error_codes import (
    CLIENT_ID_IN_USE,
    LINK_LOST,
    LINK_RESTORED,
    PORT_CHANGED,
    TOO_MANY_MESSAGES,
)
from execution.broker.ibkr.messages import (
    Answered,
    Beat,
    CancelNotSent,
    Connected,
    Disconnected,
    ErrorSeen,
    Left,
    Message,
    NotSent,
    RefreshBegan,
    RefreshEnded,
)
from execution.models import IbkrGateway

State = IbkrGateway.State

WORRYING_SKEW = 2.0  # seconds
STOPPING_SKEW = 10.0
# Without these nothing is known of what works at the broker; ended orders alone may be missing.
_NEEDED = ("open orders", "executions")
# TWS is asked for its clock every second: after this it is frozen, or the network swallows all.
SILENCE = timedelta(seconds=2.5)
# These are our own doing; everything else is TWS's voice.
_OURS = (Disconnected, RefreshBegan, RefreshEnded, Left, NotSent, CancelNotSent, Answered)


def needed(unanswered: Iterable[str]) -> list[str]:
    """Those of the unanswered questions without which nothing is sent."""
    return [name for name in unanswered if name.startswith(_NEEDED)]


@dataclass(slots=True)
class ConnectionState:
    connected: bool = False
    compared: bool = False  # with the broker, since the connection or its link was last broken
    link_lost_at: float | None = None  # monotonic
    accounts: tuple[str, ...] = ()
    next_valid_id: int = 0
    skew: float | None = None
    heard_at_real: datetime | None = None
    reconciled_at_real: datetime | None = None
    why: str = "starting"
    warnings: list[str] = field(default_factory=list)  # for the log, emptied by its reader

    @property
    def state(self) -> str:
        if not self.connected:
            return State.DOWN
        if self.link_lost_at is not None:
            return State.LINK_LOST
        if self.skew is not None and abs(self.skew) > STOPPING_SKEW:
            return State.HELD
        return State.READY if self.compared else State.RECONCILING

    @property
    def detail(self) -> str:
        if self.state == State.HELD:
            return f"the broker's clock differs by {self.skew:+.0f} s; nothing is sent"
        return "" if self.state == State.READY else self.why

    @property
    def trouble(self) -> str:
        """Why nothing can be sent now; empty while orders may leave and TWS answers."""
        if self.state != State.READY:
            return f"{self.state}: {self.detail}".rstrip(": ")
        silent = timezone.now() - self.heard_at_real if self.heard_at_real else timedelta(0)
        if silent > SILENCE:
            return f"TWS has not answered for {silent.total_seconds():.0f} s"
        return ""

    @property
    def may_cancel(self) -> bool:
        return self.connected and self.link_lost_at is None

    def account(self, ours: str) -> str | None:
        """The broker's code of an account; `default` is the only one of a login that has one."""
        if ours in self.accounts:
            return ours
        return self.accounts[0] if ours == ONLY_ONE and len(self.accounts) == 1 else None

    def note(self, message: Message) -> bool:
        """Take a message into account; True when the link broke or came back."""
        if not isinstance(message, _OURS):
            self.heard_at_real = timezone.now()
        match message:
            case Connected():
                self.connected, self.compared, self.link_lost_at = True, False, None
                self.accounts, self.next_valid_id = message.accounts, message.next_valid_id
                self.why = "connected, comparing orders"
            case Disconnected():
                self.connected, self.compared = False, False
                self.skew, self.why = None, message.reason
                return True
            case Beat():
                self._beat(message.skew)
            case RefreshEnded():
                self._refreshed(message.unanswered)
            case ErrorSeen() if message.request_id == -1:
                return self._notice(message)
        return False

    def _beat(self, skew: float) -> None:
        if abs(skew) > WORRYING_SKEW and abs(self.skew or 0.0) <= WORRYING_SKEW:
            self.warnings.append(f"the broker's clock differs by {skew:+.1f} s")
        self.skew = skew

    def _refreshed(self, unanswered: tuple[str, ...]) -> None:
        missing = needed(unanswered)
        if missing:
            # A read-only API leaves the question for open orders without an answer.
            guess = " (is its API read-only?)" if "open orders" in missing else ""
            self.why = (
                f"TWS does not answer: {', '.join(missing)}{guess}; it is asked again, and nothing"
                " is sent until it answers"
            )
            self.warnings.append(self.why)
        elif self.link_lost_at is None:
            self.compared, self.reconciled_at_real = True, timezone.now()

    def _notice(self, said: ErrorSeen) -> bool:
        text = f"{said.code}: {said.text}"
        if said.code in LINK_LOST:
            self.compared = False
            self.link_lost_at = self.link_lost_at or time.monotonic()
            self.why = text
        elif said.code in LINK_RESTORED:
            self.compared, self.link_lost_at = False, None
            self.why = "link restored, comparing orders"
        elif said.code in (CLIENT_ID_IN_USE, PORT_CHANGED, TOO_MANY_MESSAGES):
            self.why = text
        else:
            return False
        self.warnings.append(text)
        return said.code in LINK_LOST | LINK_RESTORED
