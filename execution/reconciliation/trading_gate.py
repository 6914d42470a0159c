"""The gate of a process that trades live: it compares each account with the broker, after its start
and after each gap of the connection, and no child leaves before (`broker.admission`)."""

import threading
import time
from datetime import timedelta

import structlog
from django.db import Error, connection
from django.utils import timezone

from execution.broker.admission import Admission
from execution.broker.base import BrokerError
from execution.context import Context
from execution.reconciliation import account_reconciliation, breaks

log = structlog.get_logger(__name__)

OPEN_EVERY, CLOSED_EVERY = 1.0, 0.2  # seconds between two comparisons of its state
LOOK_AGAIN = 20.0  # seconds, at an account whose positions differ
FIRST_PAUSE, LONGEST_PAUSE = 0.25, 2.0  # seconds, after a comparison that failed


class Gate:
    """Closed for every account at first. A thread of its own compares, which opens it."""

    def __init__(self, context: Context, admission: Admission) -> None:
        self._context = context
        self._admission = admission
        self._why: dict[str, str] = {}
        self._failures: dict[str, int] = {}
        self._not_before: dict[str, float] = {}
        self._thread = threading.Thread()
        self._starting = threading.Lock()
        self._ended = threading.Event()

    def closed_for(self, account: str) -> str:
        """Why no child of the account may leave; empty when one may."""
        self.watch()
        return self._admission.closed_for(account)

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
                if self._compared():
                    pause = OPEN_EVERY
            except Error as error:
                # Without PostgreSQL nothing is claimed, and so nothing is sent.
                log.warning("the gate waits for PostgreSQL", error=str(error).strip())
                connection.close()
            except Exception:  # the gate stays closed, and the log says why
                log.exception("the gate cannot compare")
        connection.close()

    def _compared(self) -> bool:
        """Compare what is due; whether the gate is open for every account."""
        wanted = account_reconciliation.accounts(self._context)
        already = self._admission.open_for(wanted) - self._broken()
        for account in wanted:
            if account not in already and time.monotonic() >= self._not_before.get(account, 0):
                self._compare(account)
        return self._admission.open_for(wanted).issuperset(wanted)

    def _broken(self) -> set[str]:
        """A break of a position holds its symbol back, and may be explained by late executions."""
        lately = timezone.now() - timedelta(seconds=LOOK_AGAIN)
        return breaks.accounts_with_breaks(self._context.broker.name, compared_before=lately)

    def _compare(self, account: str) -> None:
        try:
            report = account_reconciliation.compare(account, self._context, thorough=False)
        except account_reconciliation.Busy:
            return
        except BrokerError as error:
            self._put_off(account, str(error))
            return
        self._failures.pop(account, None)
        self._why.pop(account, None)
        count = len(report.differences)
        log.info("compared with the broker", account=account, differences=count)

    def _put_off(self, account: str, why: str) -> None:
        if self._why.get(account) != why:
            log.warning("nothing is sent: not compared", account=account, why=why)
        tries = self._failures.get(account, 0)
        self._why[account], self._failures[account] = why, tries + 1
        pause = min(FIRST_PAUSE * 2.0**tries, LONGEST_PAUSE)
        self._not_before[account] = time.monotonic() + pause


def put_before(context: Context) -> Gate | None:
    """A closed gate before the context's broker, where live orders go to one that can be compared.

    Without one a live broker is closed as well, until some process compares."""
    if context.config.trading_mode != "live":
        return None
    admission = context.broker.close_until_compared()
    if admission is None:
        return None
    gate = Gate(context, admission)
    context.broker.closed_for = gate.closed_for
    gate.watch()
    return gate
