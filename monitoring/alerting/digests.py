"""Many alerts of a kind, due at once or coming one after the other, as one message instead of a
storm."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from django.db.models import Count, Min

from monitoring.channels.base import Channel, DigestChannel
from monitoring.models import AlertDelivery

DIGEST_FROM = 5  # alerts of one kind
# A channel that was told of so many of a kind within this time is told of the next ones at its end.
WITHIN = timedelta(minutes=1)
LOOKED_BACK = 1_000  # deliveries, the newest ones

Kind = tuple[str, str, str, str]  # channel, kind, event, severity


def messages(
    due: Sequence[AlertDelivery], channels: Mapping[str, Channel]
) -> list[list[AlertDelivery]]:
    """What leaves together: alone, or with all of its kind where they are many."""
    alike: dict[tuple[str, ...], list[AlertDelivery]] = {}
    for delivery in due:
        key = (delivery.channel, delivery.alert.kind, delivery.event)
        alike.setdefault(key, []).append(delivery)
    found = []
    for (name, *_), each in alike.items():
        digests = isinstance(channels.get(name), DigestChannel)
        storm = digests and len(each) >= DIGEST_FROM
        found += [each] if storm else [[delivery] for delivery in each]
    return sorted(found, key=lambda message: (message[0].alert_id, message[0].pk))


def leaving(
    due: Sequence[AlertDelivery], channels: Mapping[str, Channel], real_now: datetime
) -> list[AlertDelivery]:
    """What leaves now; the rest is put off to the end of its kind's minute. A kind goes by its
    severity too: no warnings hold back what has become critical."""
    digesting = [each for each in due if isinstance(channels.get(each.channel), DigestChannel)]
    until = _full_until(real_now) if digesting else {}
    waiting: dict[datetime, list[int]] = {}
    for delivery in digesting:
        if (end := until.get(_kind(delivery))) is not None:
            waiting.setdefault(end, []).append(delivery.pk)
    for end, ids in waiting.items():
        AlertDelivery.objects.filter(pk__in=ids, state=AlertDelivery.State.PENDING).update(
            next_try_at_real=end
        )
    held = {pk for ids in waiting.values() for pk in ids}
    return [each for each in due if each.pk not in held]


def _full_until(real_now: datetime) -> Mapping[Kind, datetime]:
    """Of which kinds a channel was told enough, and until when."""
    newest = AlertDelivery.objects.order_by("-pk").values("pk")[:LOOKED_BACK]
    told = (
        AlertDelivery.objects.filter(
            pk__in=newest,
            state=AlertDelivery.State.SENT,
            settled_at_real__gt=real_now - WITHIN,
        )
        .values_list("channel", "alert__kind", "event", "alert__severity")
        .annotate(many=Count("pk"), first=Min("settled_at_real"))
        .filter(many__gte=DIGEST_FROM)
    )
    return {(*kind,): first + WITHIN for *kind, _, first in told}


def _kind(delivery: AlertDelivery) -> Kind:
    return delivery.channel, delivery.alert.kind, delivery.event, delivery.alert.severity
