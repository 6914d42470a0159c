"""Findings become alerts, once each; alerts escalate, end and are acknowledged."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta

from django.db import transaction
from django.db.models import QuerySet

from deepstack.config import Config
from monitoring.alerting.alert_kinds import ABOUT, OF_SYSTEM, AlertKind
from monitoring.alerting.rules import AlertSeverity, Finding
from monitoring.channels import configured, routing
from monitoring.clocks import Moment
from monitoring.models import ACTIVE, Alert, AlertDelivery

Event, State = AlertDelivery.Event, AlertDelivery.State

# A finding that comes back so soon is the same alert again: what sways around its threshold does
# not call a person each time.
COMES_BACK = timedelta(minutes=5)
LONGEST_MESSAGE = 1000


def raise_all(findings: Iterable[Finding], *, moment: Moment, config: Config) -> Sequence[Alert]:
    """The alerts of the findings, oldest first; new ones are stored with their deliveries.

    A finding that is an alert already changes its severity at most; one that rises calls again,
    also whom the alert had been acknowledged by.
    """
    by_key = {finding.key: finding for finding in findings}
    if not by_key:
        return []
    with transaction.atomic():
        standing = {alert.dedupe_key: alert for alert in _standing(by_key)}
        fresh = [finding for key, finding in by_key.items() if key not in standing]
        if fresh:
            fresh = _without_ended(fresh, moment)
            _store(fresh, moment=moment, config=config)
        for key, alert in standing.items():
            _move(alert, by_key[key], moment=moment, config=config)
    return list(_standing(by_key).select_related("order").order_by("id"))


def unstored(finding: Finding, *, moment: Moment) -> Alert:
    """The alert of a finding for a channel, while there is no database to store it."""
    return _alert(finding, moment)


def end_all(over: Iterable[Alert], *, moment: Moment, config: Config) -> int:
    """End standing alerts and say so on the channels that had them; returns how many ended."""
    ended = 0
    for alert in over:
        with transaction.atomic():
            updated = Alert.objects.filter(pk=alert.pk, ended_at_real__isnull=True).update(
                ended_at=moment.now,
                ended_at_real=moment.real_now,
                ended_because=ABOUT[AlertKind(alert.kind)].ends,
            )
            if updated:
                _announce(
                    [alert],
                    Event.ENDED,
                    moment=moment,
                    config=config,
                    only=_channels_of(alert, config),
                )
        ended += updated
    return ended


def end_absent(found: Iterable[Finding], *, moment: Moment, config: Config) -> int:
    """End the alerts of a state of the service that an evaluation at `moment` found no more."""
    standing = Alert.objects.filter(
        kind__in=sorted(OF_SYSTEM), ended_at_real__isnull=True, raised_at_real__lte=moment.real_now
    ).exclude(dedupe_key__in=[finding.key for finding in found])
    return end_all(standing, moment=moment, config=config)


def _standing(keys: Iterable[str]) -> QuerySet[Alert]:
    return Alert.objects.filter(dedupe_key__in=list(keys), ended_at_real__isnull=True)


def _without_ended(findings: Sequence[Finding], moment: Moment) -> list[Finding]:
    """What is not stored yet. An alert that ended a moment ago stands again, without a call; one
    that another evaluation has ended since `moment` stays ended: this one saw older facts."""
    just = Alert.objects.filter(
        dedupe_key__in=[finding.key for finding in findings],
        ended_at_real__gt=moment.real_now - COMES_BACK,
    )
    ended = {alert.dedupe_key: alert for alert in just.order_by("id")}
    for alert in ended.values():
        if alert.ended_at_real and alert.ended_at_real < moment.real_now:
            Alert.objects.filter(pk=alert.pk).update(
                ended_at=None, ended_at_real=None, ended_because=""
            )
    return [finding for finding in findings if finding.key not in ended]


def _store(findings: Sequence[Finding], *, moment: Moment, config: Config) -> None:
    # Another process may store the same finding at this moment: the first one stays.
    Alert.objects.bulk_create(
        [_alert(finding, moment) for finding in findings], ignore_conflicts=True
    )
    stored = list(_standing(finding.key for finding in findings))
    _announce(stored, Event.RAISED, moment=moment, config=config)


def _announce(
    alerts: Iterable[Alert],
    event: str,
    *,
    moment: Moment,
    config: Config,
    only: Iterable[str] | None = None,
) -> None:
    """`only`: these channels, whatever the alert has become since; else all that take it."""
    through = list(configured(config))
    AlertDelivery.objects.bulk_create(
        [
            AlertDelivery(
                alert=alert,
                channel=channel,
                event=event,
                next_try_at_real=routing.leaves_at(config, channel, alert, moment.real_now),
            )
            for alert in alerts
            for channel in (routing.of(config, through, alert) if only is None else only)
        ],
        ignore_conflicts=True,
    )


def _channels_of(alert: Alert, config: Config) -> list[str]:
    """The channels that have had the alert, or will."""
    raised = alert.deliveries.filter(
        event=Event.RAISED, state__in=[State.SENT, State.PENDING], channel__in=configured(config)
    )
    return list(raised.values_list("channel", flat=True))


def _move(alert: Alert, finding: Finding, *, moment: Moment, config: Config) -> None:
    """To the finding's severity, in place."""
    before, after = AlertSeverity(alert.severity), finding.severity
    if before == after:
        return
    changes: dict[str, object] = {
        "severity": after,
        "message": _message(finding),
        "data": _data(finding, [*_severities(alert.data), before]),
    }
    rises = after.rank > before.rank
    if rises:
        changes |= {"acknowledged_by": "", "acknowledged_at_real": None, "note": ""}
    same = Alert.objects.filter(pk=alert.pk, severity=before, ended_at_real__isnull=True)
    if same.update(**changes) and rises:
        alert.data = changes["data"]
        alert.severity = after
        _announce([alert], Event.ESCALATED, moment=moment, config=config)


def _severities(data: Mapping[str, object]) -> list[object]:
    before = data.get("severity_before", [])
    return list(before) if isinstance(before, list) else []


def _data(finding: Finding, before: Sequence[object]) -> dict[str, object]:
    return {**finding.data, "severity_before": [str(each) for each in before]}


def _message(finding: Finding) -> str:
    """What is so, shortened if need be, and what to do about it."""
    remedy = f". {finding.remedy or ABOUT[finding.kind].remedy}"
    return finding.message.rstrip(".")[: LONGEST_MESSAGE - len(remedy)] + remedy


def _alert(finding: Finding, moment: Moment) -> Alert:
    return Alert(
        kind=finding.kind,
        severity=finding.severity,
        message=_message(finding),
        account=finding.account,
        order_id=finding.order_id,
        data=dict(finding.data),
        dedupe_key=finding.key,
        raised_at=moment.now,
        raised_at_real=moment.real_now,
    )


def acknowledge(alerts: Iterable[int], *, by: str, moment: Moment, note: str = "") -> int:
    """Mark active alerts as seen by a named person, who may add a note; returns how many were
    active.

    An alert that somebody acknowledged before keeps that name, time and note.
    """
    if not by.strip():
        raise ValueError("by: the name of the person who acknowledges is required")
    return Alert.objects.filter(ACTIVE, pk__in=list(alerts)).update(
        acknowledged_by=by[:150], acknowledged_at_real=moment.real_now, note=note[:300]
    )
