"""What belongs to a person's second factor beside the device, which django-otp keeps."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from typing_extensions import override

from execution.models.orders import Via


class RecoveryCode(models.Model):
    """Stands for a code of the device, once. Kept as a hash: the code is shown when it is made."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="recovery_codes"
    )
    digest = models.CharField(max_length=64, unique=True)  # SHA-256 of 80 random bits, in hex
    used_at_real = models.DateTimeField("used at, real time", null=True, blank=True)

    @override
    def __str__(self) -> str:
        return f"recovery code of user {self.user_id}"


class SecondFactorChange(models.Model):
    """Who enrolled, reset or recovered whose second factor; never changed."""

    class Kind(models.TextChoices):
        ENROLLED = "ENROLLED"
        CODES_RENEWED = "CODES_RENEWED"
        RECOVERY_CODE_USED = "RECOVERY_CODE_USED"
        RESET = "RESET"

    user = models.CharField(max_length=150)  # a name outlasts the user
    kind = models.CharField(max_length=20, choices=Kind.choices)
    changed_by = models.CharField(max_length=150)
    changed_via = models.CharField(max_length=8, choices=Via.choices)
    reason = models.CharField(max_length=300, blank=True)
    changed_at_real = models.DateTimeField("changed at, real time", auto_now_add=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(kind="RESET") | ~Q(reason=""), name="second_factor_reset_has_reason"
            )
        ]

    @override
    def __str__(self) -> str:
        return f"{self.user} {self.kind}, by {self.changed_by}"
