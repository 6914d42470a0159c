"""The adapter to the stand-in broker, and the points at which a worker may be made to die.

A file in the folder DEEPSTACK_CHAOS_POINTS is a fault for the one worker that removes it first:
`kill-before` and `freeze-before` strike between the committed intent and the request,
`kill-after` between the broker's acceptance and our record of it.
"""

import json
import os
import signal
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlencode

from deepstack.config import Config
from execution.broker.base import (
    BrokerOrder,
    BrokerRejected,
    BrokerUnavailable,
    DuplicateOrder,
    Execution,
    OutcomeUnknown,
    Ticket,
)
from execution.domain.lifecycle import SliceStatus
from tests.chaos.broker import PATIENCE

ADDRESS = "DEEPSTACK_CHAOS_BROKER"
POINTS = "DEEPSTACK_CHAOS_POINTS"


class StandInBroker:
    """Speaks to the process of `tests.chaos.broker`; one connection for each thread."""

    name = "chaos"

    def __init__(self, config: Config) -> None:
        self._address = os.environ[ADDRESS]
        self._own = threading.local()

    def place(self, ticket: Ticket, *, now: datetime) -> BrokerOrder:
        wanted = asdict(ticket) | {"limit_price": str(ticket.limit_price)}
        del wanted["extended_hours"], wanted["native"]
        struck("kill-before", signal.SIGKILL)
        struck("freeze-before", signal.SIGSTOP)
        status, body = self._ask("POST", "/orders", wanted)
        struck("kill-after", signal.SIGKILL)
        match status:
            case 200:
                return _order(body)
            case 409:
                raise DuplicateOrder(body["text"])
            case 422:
                raise BrokerRejected(body["code"], body["text"])
            case 429:
                retry_after = body["retry_after"]
                raise BrokerRejected("429", body["text"], transient=True, retry_after=retry_after)
        raise OutcomeUnknown(f"status {status}")

    def cancel(self, client_order_id: str, *, now: datetime) -> None:
        status, _ = self._ask("POST", f"/orders/{client_order_id}/cancel", {})
        if status == 404:
            raise BrokerRejected("UNKNOWN_ORDER", client_order_id)

    def find(self, client_order_id: str, *, now: datetime) -> BrokerOrder | None:
        status, body = self._ask("GET", f"/orders/{client_order_id}")
        if status not in (200, 404):
            raise OutcomeUnknown(f"status {status}")
        return _order(body) if status == 200 else None

    def reports(self, account: str, since: datetime, *, now: datetime) -> Sequence[BrokerOrder]:
        asked = urlencode({"account": account, "since": since.timestamp()})
        _, body = self._ask("GET", f"/news?{asked}")
        return [_order(each) for each in body]

    def _ask(
        self, method: str, path: str, body: Mapping[str, object] | None = None
    ) -> tuple[int, Any]:
        connection = self._connected()
        try:
            connection.request(method, path, None if body is None else json.dumps(body))
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        except (OSError, HTTPException, ValueError) as error:
            connection.close()
            raise OutcomeUnknown(f"{type(error).__name__}: {error}") from error

    def _connected(self) -> HTTPConnection:
        if not hasattr(self._own, "connection"):
            self._own.connection = HTTPConnection(self._address, timeout=PATIENCE)
        connection: HTTPConnection = self._own.connection
        if connection.sock is None:
            try:
                connection.connect()
            except OSError as error:
                raise BrokerUnavailable(str(error)) from error
        return connection


def struck(point: str, number: signal.Signals) -> None:
    if armed(point):
        os.kill(os.getpid(), number)


def armed(point: str) -> bool:
    """Whether the point is to be struck, and by this worker: the first that asks."""
    folder = os.environ.get(POINTS)
    if not folder:
        return False
    try:
        os.unlink(f"{folder}/{point}")
    except FileNotFoundError:
        return False
    return True


def _order(said: Mapping[str, Any]) -> BrokerOrder:
    return BrokerOrder(
        client_order_id=said["client_order_id"],
        broker_order_id=said["broker_order_id"],
        status=SliceStatus(said["status"]),
        filled_quantity=said["filled_quantity"],
        executions=tuple(_execution(each) for each in said["executions"]),
    )


def _execution(said: Mapping[str, Any]) -> Execution:
    return Execution(
        client_order_id=said["client_order_id"],
        account=said["account"],
        execution_id=said["execution_id"],
        quantity=said["quantity"],
        price=Decimal(said["price"]),
        executed_at=datetime.fromisoformat(said["executed_at"]),
        commission=Decimal(said["commission"]),
        revision=said["revision"],
    )
