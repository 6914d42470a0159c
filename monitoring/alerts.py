"""Findings become alerts, once each, and alerts are acknowledged."""

from collections.abc import Iterable, Sequence

from django.db import transaction

from deepstack.config import Config
from monitoring.channels import configured
from monitoring.models import Alert, AlertDelivery
from monitoring.moment import Moment
from monitoring.rules import Finding


def raise_all(findings: Iterable[Finding], *, moment: Moment, config: Config) -> Sequence[Alert]:
    """The alerts of the findings, oldest first; new ones are stored with their deliveries.

    A finding that is an alert already changes nothing, not even an acknowledged alert.
    """
    by_key = {finding.key: finding for finding in findings}
    if not by_key:
        return []
    known = set(Alert.objects.filter(dedupe_key__in=by_key).values_list("dedupe_key", flat=True))
    fresh = [finding for key, finding in by_key.items() if key not in known]
    if fresh:
        _store(fresh, moment=moment, config=config)
    return list(Alert.objects.filter(dedupe_key__in=by_key).select_related("order").order_by("id"))


def _store(findings: Sequence[Finding], *, moment: Moment, config: Config) -> None:
    with transaction.atomic():
        # Another process may store the same finding at this moment: the first one stays.
        Alert.objects.bulk_create(
            [_alert(finding, moment) for finding in findings], ignore_conflicts=True
        )
        stored = Alert.objects.filter(dedupe_key__in=[finding.key for finding in findings])
        AlertDelivery.objects.bulk_create(
            [
                AlertDelivery(alert=alert, channel=channel, next_try_wall=moment.wall)
                for alert in stored
                for channel in configured(config)
            ],
            ignore_conflicts=True,
        )


def _alert(finding: Finding, moment: Moment) -> Alert:
    return Alert(
        kind=finding.kind,
        severity=finding.severity,
        message=finding.message[:500],
        account=finding.account,
        order_id=finding.order_id,
        data=dict(finding.data),
        dedupe_key=finding.key,
        raised_at=moment.now,
        raised_wall=moment.wall,
    )


def acknowledge(alerts: Iterable[int], *, by: str, moment: Moment) -> int:
    """Mark active alerts as seen by a named person; returns how many were active.

    An alert that somebody acknowledged before keeps that name and time.
    """
    if not by.strip():
        raise ValueError("by: the name of the person who acknowledges is required")
    return Alert.objects.filter(pk__in=list(alerts), acknowledged_wall__isnull=True).update(
        acknowledged_by=by[:150], acknowledged_wall=moment.wall
    )
