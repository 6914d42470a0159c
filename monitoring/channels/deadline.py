"""A try to send ends in time, whatever the other side does: a server that answers one byte every
few seconds never meets the time-out of a read."""

from collections.abc import Callable
from contextvars import copy_context
from threading import Thread

from monitoring.channels.base import ChannelUnavailable

LONGEST = 12.0  # seconds; longer than the time-outs of one try, shorter than its lease

_stuck: dict[str, Thread] = {}  # by channel


def within(name: str, send: Callable[[], object], *, seconds: float | None = None) -> None:
    """Raises what `send` raises, or ChannelUnavailable when it has not ended in time.

    It cannot be ended then. Until it ends by itself, this process tries the channel `name` no more.
    """
    before = _stuck.get(name)
    if before is not None and before.is_alive():
        raise ChannelUnavailable("the try before has not ended yet")
    raised: list[Exception] = []

    def run() -> None:
        try:
            send()
        except Exception as error:  # noqa: BLE001  raised again by the caller
            raised.append(error)

    thread = Thread(target=copy_context().run, args=(run,), name=f"send-{name}", daemon=True)
    thread.start()
    bound = LONGEST if seconds is None else seconds
    thread.join(bound)
    if thread.is_alive():
        _stuck[name] = thread
        raise ChannelUnavailable(f"no whole answer within {bound:g} s")
    if raised:
        raise raised[0]
