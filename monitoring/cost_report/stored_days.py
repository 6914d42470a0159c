"""The sums of days that are over: written with each day's summary, added up for a report."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.db.models.fields.json import KeyTransform

from execution.access import desks
from execution.access.desks import Accounts
from monitoring.cost_report import day_groups, worst
from monitoring.cost_report.groups import Group
from monitoring.cost_report.measures import MEASURES
from monitoring.models import DailySummary, DayCosts

KEPT = [name for name in day_groups.GROUPINGS if name not in ("day", "order")]
CONTENTS = [*MEASURES, *KEPT]  # of a day that is written now


@dataclass(frozen=True, slots=True)
class Stored:
    """What is stored of a period: sums by day and by group, and the dearest orders."""

    days: Mapping[date, Group]
    groups: Mapping[str, Group]
    worst: worst.Ranked


def write(summary: DailySummary) -> None:
    """What belongs to a summary that was just written."""
    day, account = [summary.date], summary.account
    grouped = day_groups.of_days(day, account=account, groupings=KEPT)
    DayCosts.objects.update_or_create(
        summary=summary,
        defaults={
            "measures": CONTENTS,
            "groups": {
                grouping: {key: group.as_json() for key, group in groups.items()}
                for grouping, groups in grouped.items()
            },
            "worst": [[pk, f"{cost:f}"] for pk, cost in worst.of_days(day, account=account)],
        },
    )


def read(
    first: date, last: date, *, account: str, grouping: str, accounts: Accounts = None
) -> Stored:
    """Of the days from `first` to `last`; an empty `account`: of all. One query."""
    days_of = DayCosts.objects.filter(summary__date__gte=first, summary__date__lte=last)
    known = desks.of_accounts(days_of, accounts)
    if account:
        known = known.filter(summary__account=account)
    rows = known.annotate(
        whole=KeyTransform(day_groups.ALL, "groups"), parts=KeyTransform(grouping, "groups")
    ).values_list("summary__date", "whole", "parts", "worst")
    days: dict[date, list[Group]] = defaultdict(list)
    groups: dict[str, list[Group]] = defaultdict(list)
    ranked = []
    for day, whole, parts, dear in rows:
        days[day] += [Group.from_json(each) for each in whole.values()]
        for key, part in (parts or {}).items():
            groups[key].append(Group.from_json(part))
        ranked.append([(pk, Decimal(cost)) for pk, cost in dear])
    return Stored(
        {day: Group.total(each) for day, each in days.items()},
        {key: Group.total(each) for key, each in groups.items()},
        worst.dearest(ranked),
    )
