"""Standard streams as shells, schedulers and full disks leave them. Output that nobody reads any
more, as in `manage.py orders | head -1`, is no error."""

import errno
import os
import select
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper

GONE = 128 + signal.SIGPIPE  # what a shell says of a program that the signal has ended
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EIO)


@contextmanager
def until_nobody_reads() -> Iterator[None]:
    """End quietly when standard output or error is closed by its reader. A pipe or socket of
    another kind that breaks stays an error."""
    _open_missing()
    _write_any_letter()
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        if not any([_is_closed(1), _is_closed(2)]):
            raise
        raise SystemExit(GONE) from None
    except OSError as error:
        if error.errno not in _FULL or error.filename is not None:
            raise
        _discard(1)
        try:
            sys.stderr.write(
                f"standard output: {error.strerror}; what was asked for may have been done all the"
                " same, `deepstack orders` and `deepstack explain` show it\n"
            )
            sys.stderr.flush()
        except OSError:
            _discard(2)  # or what it could not take would fail again when Python ends
        raise SystemExit(os.EX_IOERR) from None


def _open_missing() -> None:
    """A halt from a program that has closed its streams is a halt. Without this the next file or
    connection would get the number of standard output, and what is printed."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            _discard(number)
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115


def _write_any_letter() -> None:
    """A terminal that has no sign for a letter, such as one of ASCII alone, shows its number: an
    order that was accepted must not end in an error of its report."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _is_closed(number: int) -> bool:
    """Whether a standard stream has lost its reader; then nothing more is written to it."""
    poll = select.poll()
    poll.register(number, 0)
    if not any(seen & (select.POLLERR | select.POLLHUP) for _, seen in poll.poll(0)):
        return False
    _discard(number)
    return True


def _discard(number: int) -> None:
    opened = os.open(os.devnull, os.O_RDWR)
    if opened != number:
        os.dup2(opened, number)
        os.close(opened)
