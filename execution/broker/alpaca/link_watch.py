"""Watches the way to Alpaca: whether its REST interface answers and its stream reports."""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from django.db import Error, connection
from django.utils import timezone

from execution.broker import links
from execution.broker.alpaca.http_client import HttpClient
from execution.broker.alpaca.rate_limit import Budget, BudgetSpent, Lanes
from execution.broker.base import BrokerError

log = structlog.get_logger(__name__)

NOTE_EVERY = 0.5  # seconds
ASK_EVERY = 2.0  # while nobody else was answered
ASK_AGAIN = 0.7  # after a failure
SILENCE = timedelta(seconds=4)  # without any answer: a question may hang for longer
SHARE = 0.15  # of the message budget, for these questions at most
STREAM_PATIENCE = timedelta(seconds=2)


class LinkWatch:
    """Two threads: one asks and may hang, the other notes how things stand.

    `stream_lost_at`: since when the stream of trade updates is not connected, None while it is.
    """

    def __init__(
        self,
        http: HttpClient,
        budget: Budget,
        address: str,
        stream_lost_at: Callable[[], datetime | None],
    ) -> None:
        self._http = http
        self._budget = budget
        self._address = address
        self._stream_lost_at = stream_lost_at
        self._every = max(ASK_EVERY, 60 / (budget.per_minute * SHARE))
        self._answered_at = timezone.now()
        self._failing_since: datetime | None = None
        self._failure = ""
        self._ended = threading.Event()
        self._threads = [
            threading.Thread(target=self._ask, name="link-questions", daemon=True),
            threading.Thread(target=self._note, name="link-notes", daemon=True),
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """Whoever looks next finds the row unrefreshed, or refreshed by a successor."""
        self._ended.set()
        self._threads[1].join(2.0)  # the other may hang in a question

    def _ask(self) -> None:
        pause = 0.0
        while not self._ended.wait(pause):
            pause = self._every
            if self._budget.answered_lately():
                self._note_answer()
                pause = min(pause, 1.0)
                continue
            try:
                self._http.get("/clock", {}, Lanes.POLL)
            except BudgetSpent:
                pause = ASK_AGAIN  # our own doing, and told apart by `closed_for`
                self._note_answer()
            except BrokerError as error:
                self._failure = str(error)
                self._failing_since = self._failing_since or timezone.now()
                pause = ASK_AGAIN
            else:
                self._note_answer()

    def _note_answer(self) -> None:
        self._answered_at, self._failing_since = timezone.now(), None

    def _note(self) -> None:
        while not self._ended.wait(NOTE_EVERY):
            reason, since = self.trouble()
            try:
                links.note("alpaca", self._address, reason=reason, since=since)
            except Error as error:
                connection.close()
                log.warning("the link's state is not noted", error=str(error).strip())
        connection.close()

    def trouble(self) -> tuple[str, datetime | None]:
        """(why orders cannot go to and fro now, since when); ("", None) while they can."""
        now = timezone.now()
        if self._failing_since:
            return f"Alpaca does not answer: {self._failure}", self._failing_since
        silence = now - self._answered_at
        if silence > max(SILENCE, timedelta(seconds=2 * self._every)):
            words = f"Alpaca has not answered for {silence.total_seconds():.0f} s"
            return words, self._answered_at
        if closed := self._budget.closed_for():
            return f"Alpaca takes no messages for another {closed:.0f} s (HTTP 429)", None
        lost_at = self._stream_lost_at()
        if lost_at and now - lost_at > STREAM_PATIENCE:
            return (
                "Alpaca's stream of trade updates is not connected: orders go on, "
                "their executions are booked some seconds later"
            ), lost_at
        return "", None
