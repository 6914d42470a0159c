"""Four eyes: what loosens a control is done once a second person has asked for the same.

There is no other way of approving: whoever approves goes through the same door, with the same
permission, and sees what the first has seen. Off unless `controls.four_eyes` is set.
"""

from collections.abc import Iterable
from datetime import timedelta

import structlog
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from deepstack.config import current
from execution.domain.exchange_time import exchange_time
from execution.models import Approval

log = structlog.get_logger(__name__)


class SecondPersonNeeded(ValueError):
    """Nothing was changed; what was asked for is stored as a proposal."""

    def __init__(self, proposal: Approval) -> None:
        super().__init__(
            f"{proposal.subject}: proposed by {proposal.proposed_by}. A second person must ask for"
            f" the same until {exchange_time(proposal.expires_at_real)}; nothing was changed"
        )


def ask(subject: str, *, by: str, reason: str = "") -> Approval | None:
    """The proposal that waits for a second person, made now unless it was; None once the second
    asks, or where one person is enough. An approval is good for once."""
    config = current().controls
    if not config.four_eyes:
        return None
    subject, by, now = subject[:300], by[:150], timezone.now()
    with transaction.atomic():
        own = waiting().select_for_update().filter(subject=subject).order_by("pk")
        known = list(own)
        others = [each for each in known if each.proposed_by != by]
        if others:
            proposal = others[0]
            proposal.approved_by, proposal.approved_at_real = by, now
            proposal.save(update_fields=["approved_by", "approved_at_real"])
            log.warning("approved", what=subject, by=by, proposed_by=proposal.proposed_by)
            return None
        if known:
            return known[0]
        log.warning("proposed", what=subject, by=by, reason=reason)
        return Approval.objects.create(
            subject=subject,
            reason=reason[:300],
            proposed_by=by,
            proposed_at_real=now,
            expires_at_real=now + timedelta(minutes=config.approval_minutes),
        )


def require(subject: str, *, by: str, reason: str = "") -> None:
    """Raises SecondPersonNeeded as long as only one has asked. Not inside a transaction that the
    error rolls back: the proposal would be gone with it."""
    if (proposal := ask(subject, by=by, reason=reason)) is not None:
        raise SecondPersonNeeded(proposal)


def waiting() -> "QuerySet[Approval]":
    """The proposals that a second person can still approve."""
    return Approval.objects.filter(
        approved_at_real__isnull=True, expires_at_real__gt=timezone.now()
    )


def withdraw(subjects: Iterable[str]) -> None:
    """What was proposed before something new has happened is to be asked for again."""
    waiting().filter(subject__in=[subject[:300] for subject in subjects]).update(
        expires_at_real=timezone.now()
    )
