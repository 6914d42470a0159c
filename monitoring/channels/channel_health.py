"""What came of each try to send something to an address of somebody else, and when to try again."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import F

from monitoring.channels import deadline
from monitoring.channels.base import ChannelRefused, ChannelUnavailable
from monitoring.models import ChannelHealth

LONGEST_RETRY_AFTER = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one try; no problem: it was taken."""

    problem: str = ""
    refused: bool = False
    retry_after: float | None = None  # seconds


def outcome_of(name: str, send: Callable[[], object]) -> Outcome:
    """Of one try to send through a channel, which ends in time; `send` asks no database."""
    try:
        deadline.within(name, send)
    except ChannelRefused as error:
        return Outcome(str(error) or "refused", refused=True)
    except ChannelUnavailable as error:
        return Outcome(str(error) or "unavailable", retry_after=error.retry_after)
    except Exception as error:  # noqa: BLE001  a broken channel must not silence the others
        return Outcome(f"{type(error).__name__}: {error}")
    return Outcome()


def note(name: str, outcome: Outcome, real_now: datetime) -> bool:
    """Keep it as the channel's health; whether the channel takes again what it had refused."""
    row, _ = ChannelHealth.objects.get_or_create(channel=name)
    same = ChannelHealth.objects.filter(channel=name)
    if outcome.problem:
        same.update(
            failing_since_real=row.failing_since_real or real_now,
            refused=row.refused or outcome.refused,
            failures=F("failures") + 1,
            problem=outcome.problem[:300],
        )
        return False
    same.update(
        sent_at_real=real_now, failing_since_real=None, refused=False, failures=0, problem=""
    )
    return row.refused


def pause(
    attempts: int, *, first: timedelta, longest: timedelta, retry_after: float | None
) -> timedelta:
    """Before the next try: doubled with each of the `attempts`, and not before the channel asks."""
    doubled: timedelta = first * 2 ** min(attempts - 1, 20)
    asked = timedelta(seconds=min(retry_after or 0, LONGEST_RETRY_AFTER.total_seconds()))
    return max(min(doubled, longest), asked)
