"""The gate of a process that trades live: no child leaves before its account was compared with the
broker, after the start of the process and after each gap of the connection."""

import threading
import time
from datetime import datetime

import structlog
from django.db import Error, connection
from django.utils import timezone

from execution import comparison
from execution.broker.base import AccountBroker, BrokerError
from execution.desk import Desk
from execution.models import BrokerAccount

log = structlog.get_logger(__name__)

OPEN_EVERY, CLOSED_EVERY = 1.0, 0.2  # seconds between two looks
FIRST_PAUSE, LONGEST_PAUSE = 0.25, 2.0  # seconds, after a comparison that failed


class Gate:
    """Closed for every account at first. A thread of its own compares, and opens it."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._since = timezone.now()
        self._open: frozenset[str] = frozenset()
        self._why: dict[str, str] = {}
        self._failures: dict[str, int] = {}
        self._not_before: dict[str, float] = {}
        self._thread = threading.Thread()
        self._starting = threading.Lock()
        self._ended = threading.Event()

    def closed_for(self, account: str) -> str:
        """Why no child of the account may leave; empty when one may."""
        self.watch()
        if account in self._open:
            return ""
        why = self._why.get(account)
        return f"account {account!r} is not compared with the broker" + (f": {why}" if why else "")

    def watch(self) -> None:
        """Start the thread, anew where a fork has left it behind."""
        with self._starting:
            if not self._thread.is_alive() and not self._ended.is_set():
                self._thread = threading.Thread(target=self._run, name="gate", daemon=True)
                self._thread.start()

    def end(self) -> None:
        """Stop comparing; what is open stays open."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        pause = 0.0
        while not self._ended.wait(pause):
            pause = CLOSED_EVERY
            try:
                if self._look():
                    pause = OPEN_EVERY
            except Error as error:
                # Without PostgreSQL nothing is claimed, and so nothing is sent.
                log.warning("the gate waits for PostgreSQL", error=str(error).strip())
                connection.close()
            except Exception:  # the gate stays closed, and somebody must hear why
                log.exception("the gate cannot compare")
        connection.close()

    def _look(self) -> bool:
        """Compare what is due; whether the gate is open for every account."""
        wanted = comparison.accounts(self._desk)
        self._open = self._compared(wanted)
        for account in wanted:
            if account not in self._open and time.monotonic() >= self._not_before.get(account, 0):
                self._compare(account)
        self._open = self._compared(wanted)
        return self._open.issuperset(wanted)

    def _compared(self, wanted: list[str]) -> frozenset[str]:
        rows = BrokerAccount.objects.filter(broker=self._desk.broker.name, account__in=wanted)
        return frozenset(row.account for row in rows if _is_fresh(row, self._since))

    def _compare(self, account: str) -> None:
        try:
            report = comparison.compare(account, self._desk, thorough=False)
        except comparison.Busy:
            return
        except BrokerError as error:
            self._put_off(account, str(error))
            return
        self._failures.pop(account, None)
        self._why.pop(account, None)
        told = len(report.differences)
        log.info("compared with the broker", account=account, differences=told)

    def _put_off(self, account: str, why: str) -> None:
        if self._why.get(account) != why:
            log.warning("nothing is sent: not compared", account=account, why=why)
        tries = self._failures.get(account, 0)
        self._why[account], self._failures[account] = why, tries + 1
        pause = min(FIRST_PAUSE * 2.0**tries, LONGEST_PAUSE)
        self._not_before[account] = time.monotonic() + pause


def _is_fresh(row: BrokerAccount, since: datetime) -> bool:
    wanted = max(since, row.due_wall or since)
    return row.compared_wall is not None and row.compared_wall >= wanted


def put_before(desk: Desk) -> Gate | None:
    """A closed gate before the desk's broker, where live orders go to one that can be compared."""
    if desk.config.trading_mode != "live" or not isinstance(desk.broker.broker, AccountBroker):
        return None
    gate = Gate(desk)
    desk.broker.closed_for = gate.closed_for
    gate.watch()
    return gate
