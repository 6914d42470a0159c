"""Whether the way to a live broker is open. All times are real time."""

from django.db import models
from typing_extensions import override


class BrokerLink(models.Model):
    """One broker at one address, as the process that keeps the connection sees it: the gateway of
    Interactive Brokers, or the listener of Alpaca.

    Written at each change and every second in between. Read it through
    `execution.broker.links.trouble`, which also knows what a row means that is not refreshed.
    """

    broker = models.CharField(max_length=16)
    address = models.CharField(max_length=200)
    up = models.BooleanField()
    reason = models.CharField(max_length=300, blank=True)  # why it is down; empty while it is up
    since = models.DateTimeField()  # when `up` last changed
    seen_at = models.DateTimeField()  # when the process last looked
    process = models.CharField(max_length=120, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["broker", "address"], name="broker_link_once")
        ]

    @override
    def __str__(self) -> str:
        return f"{self.broker} {self.address} {'up' if self.up else 'down'}"
