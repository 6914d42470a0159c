"""Desks: which people see and touch which accounts."""

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from typing_extensions import override

from execution.domain.signal import ACCOUNT, ACCOUNT_WORDS


class Desk(models.Model):
    """People who work on the same accounts. As long as there is none, everybody sees all."""

    name = models.CharField(max_length=64, unique=True)
    members = models.ManyToManyField(settings.AUTH_USER_MODEL, blank=True, related_name="desks")

    class Meta:
        permissions = [
            ("every_desk", "Can see and touch the accounts of every desk"),
            ("halt_own_desk", "Can halt the accounts of the own desks"),
        ]

    @override
    def __str__(self) -> str:
        return self.name


class DeskAccount(models.Model):
    """An account belongs to one desk at most; one that belongs to none is for Risk alone."""

    desk = models.ForeignKey(Desk, on_delete=models.CASCADE, related_name="accounts")
    account = models.CharField(
        max_length=32,
        unique=True,
        validators=[RegexValidator(rf"\A{ACCOUNT.pattern}\Z", f"must be {ACCOUNT_WORDS}")],
    )

    @override
    def __str__(self) -> str:
        return self.account
