"""Output that nobody reads any more, as in `manage.py orders | head -1`, is no error."""

import os
import select
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

GONE = 128 + signal.SIGPIPE  # what a shell says of a program that the signal has ended


@contextmanager
def until_nobody_reads() -> Iterator[None]:
    """End quietly when standard output or error is closed by its reader. A pipe or socket of
    another kind that breaks stays an error."""
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        if not any([_is_closed(1), _is_closed(2)]):
            raise
        raise SystemExit(GONE) from None


def _is_closed(number: int) -> bool:
    """Whether a standard stream has lost its reader; then nothing more is written to it."""
    poll = select.poll()
    poll.register(number, 0)
    if not any(seen & (select.POLLERR | select.POLLHUP) for _, seen in poll.poll(0)):
        return False
    os.dup2(os.open(os.devnull, os.O_WRONLY), number)
    return True
