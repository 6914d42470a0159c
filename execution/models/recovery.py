"""Where the rows come from, and the times in which nobody may trade on them."""

from django.db import models
from typing_extensions import override

from execution.domain.exchange_time import exchange_time


class DatabaseOrigin(models.Model):
    """The one physical database that these rows were written in: a copy of them elsewhere, such as
    a restored backup, still names the old one."""

    system = models.CharField(max_length=32, blank=True)  # PostgreSQL's identifier of the cluster
    database = models.BigIntegerField()  # its number inside the cluster
    timeline = models.CharField(max_length=8, blank=True)  # another one after each promotion

    @override
    def __str__(self) -> str:
        return f"database {self.database} of cluster {self.system or 'unknown'}"


class Recovery(models.Model):
    """The system is halted because these rows may be older than what the broker has done, until a
    named person has seen each account compared and releases it. All times are real time."""

    cause = models.CharField(max_length=300)
    began_at_real = models.DateTimeField("began at, real time")
    backup_at_real = models.DateTimeField("backup taken at, real time", null=True, blank=True)
    was_halted = models.CharField(  # why the system was halted before; it then stays halted
        "halted before", max_length=300, blank=True
    )
    released_at_real = models.DateTimeField("released at, real time", null=True, blank=True)
    released_by = models.CharField(max_length=150, blank=True)
    released_reason = models.CharField(max_length=300, blank=True)

    class Meta:
        verbose_name_plural = "recoveries"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(released_at_real__isnull=True, released_by="")
                | (models.Q(released_at_real__isnull=False) & ~models.Q(released_by="")),
                name="recovery_released_by_somebody",
            ),
        ]

    @override
    def __str__(self) -> str:
        return f"recovery mode since {exchange_time(self.began_at_real)}: {self.cause}"
