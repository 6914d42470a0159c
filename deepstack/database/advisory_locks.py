"""Every key of PostgreSQL's advisory locks that the project uses, and locks of a session."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

# The numbers only have to differ.
LEADER = 0x4453_0001
SENDING = 0x4453_0002
POLL = 0x4453_0003
SENDER = 0x4453_0004  # with the slice's id
PARTICIPATION = 0x4453_0005  # with the symbol and side
MESSAGES = 0x4453_0006  # with the account
UPDATES = 0x4453_0010  # whoever listens to the broker's stream
COMPARING = 0x4453_0011  # whoever compares accounts with the broker
HALTS = 0x4453_0012  # whoever listens to the trading statuses of a source of market data
ANALYSING = 0x4453_0101
DELIVERING = 0x4453_0102
REPLAYING = 0x4453_0104
REHEARSING = 0x4453_0105
MIGRATING = 0x4453_0106
WEBHOOK = 0x4453_0103_0000_0000  # with a number of the receiver


def try_session_lock(key: int) -> bool:
    """Take an advisory lock for as long as this connection lives, if nobody holds it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [key])
        row: tuple[bool] = cursor.fetchone()
        return row[0]


def unlock_session(key: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_unlock(%s)", [key])


@contextmanager
def alone(key: int) -> Iterator[bool]:
    """True when nobody else holds the key; it is held until the end of the block."""
    mine = try_session_lock(key)
    try:
        yield mine
    finally:
        if mine:
            unlock_session(key)
