"""Work that is slow because it waits for others: one process does it, and the rest do not queue.

Workers lend their threads to the monitor; slices need them more.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from execution.locks import try_session_lock, unlock_session

# Keys of PostgreSQL advisory locks, unlike those of execution.locks.
ANALYSING = 0x4453_0101
DELIVERING = 0x4453_0102


@contextmanager
def alone(key: int) -> Iterator[bool]:
    """True when nobody else holds the key; it is held until the end of the block."""
    mine = try_session_lock(key)
    try:
        yield mine
    finally:
        if mine:
            unlock_session(key)
