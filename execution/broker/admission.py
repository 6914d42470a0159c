"""Whether a child of an account may go to a live broker now: reconcile first, then trade.

What opens the way is a comparison with the broker that began in the lifetime of this process and
after the last gap of the connection. It is read from the database before each send, so that it
holds in every process alike, whoever compares; a process that nobody has compared for is closed.
"""

from datetime import datetime

from django.db.models import QuerySet
from django.utils import timezone

from deepstack import django_setup

django_setup.ensure()

from execution.models import BrokerAccount  # noqa: E402


class Admission:
    """To one broker, closed for every account at first."""

    def __init__(self, broker: str) -> None:
        self._broker = broker
        self._since = timezone.now()

    def closed_for(self, account: str) -> str:
        """Why no child of the account may leave; empty when one may. Raises what the database
        raises: without it nothing is sent."""
        row = self._rows().filter(account=account).first()
        if row is not None and self._is_open(row):
            return ""
        why = f": {row.problem}" if row is not None and row.problem else ""
        return f"account {account!r} is not compared with the broker{why}"

    def open_for(self, accounts: list[str]) -> frozenset[str]:
        rows = self._rows().filter(account__in=accounts)
        return frozenset(row.account for row in rows if self._is_open(row))

    def _rows(self) -> "QuerySet[BrokerAccount]":
        return BrokerAccount.objects.filter(broker=self._broker)

    def _is_open(self, row: BrokerAccount) -> bool:
        wanted: datetime = max(self._since, row.due_at_real or self._since)
        return row.compared_at_real is not None and row.compared_at_real >= wanted
