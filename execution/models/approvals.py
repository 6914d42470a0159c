"""What one person has asked for and a second must ask for, too."""

from django.db import models
from django.db.models import F, Q
from typing_extensions import override


class Approval(models.Model):
    """One decision that loosens a control, in real time; open until it is approved or expires."""

    subject = models.CharField(max_length=300)  # what is to be done: the second asks for the same
    reason = models.CharField(max_length=300, blank=True)
    proposed_by = models.CharField(max_length=150)
    proposed_at_real = models.DateTimeField("proposed at, real time")
    expires_at_real = models.DateTimeField("expires at, real time")
    approved_by = models.CharField(max_length=150, blank=True)
    approved_at_real = models.DateTimeField("approved at, real time", null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(approved_at_real__isnull=True, approved_by="")
                | (Q(approved_at_real__isnull=False) & ~Q(approved_by="")),
                name="approval_by_somebody",
            ),
            models.CheckConstraint(
                condition=~Q(approved_by=F("proposed_by")), name="approval_by_a_second_person"
            ),
        ]

    @override
    def __str__(self) -> str:
        return f"{self.subject}, proposed by {self.proposed_by}"
