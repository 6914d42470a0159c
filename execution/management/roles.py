"""Who may do what, as groups to put people into.

Viewer sees everything. Trader also submits orders and cancels, pauses and resumes them. Where desks
are set up, both see and touch the accounts of their desks alone, and a Trader halts them. Risk sees
everything, stops orders, halts and resumes trading, sets limits, enters the exchange's halts, and
acknowledges alerts; it cannot submit.
"""

from collections.abc import Mapping, Sequence

from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.db.models import Q

APPS = ("execution", "monitoring")
ROLES: Mapping[str, Sequence[str]] = {
    "Viewer": (),
    "Trader": ("execution.submit_order", "execution.cancel_order", "execution.halt_own_desk"),
    "Risk": (
        "execution.every_desk",
        "execution.cancel_order",
        "execution.change_tradingstate",
        "execution.change_risklimit",
        "execution.change_brokerdifference",
        "monitoring.change_alert",
    ),
}


class MissingPermission(LookupError):
    """The database lacks a permission that a role needs; `manage.py migrate` makes it."""


@transaction.atomic
def ensure_roles() -> list[Group]:
    """Give the groups exactly these permissions; the people in them stay. Repeating is harmless."""
    viewing = list(
        Permission.objects.filter(content_type__app_label__in=APPS, codename__startswith="view_")
    )
    return [_role(name, extra, viewing) for name, extra in ROLES.items()]


def _role(name: str, extra: Sequence[str], viewing: Sequence[Permission]) -> Group:
    wanted = Q(pk__in=())
    for label, _, codename in (each.partition(".") for each in extra):
        wanted |= Q(content_type__app_label=label, codename=codename)
    found = list(Permission.objects.filter(wanted))
    if len(found) != len(extra):
        raise MissingPermission(f"{name} needs {', '.join(extra)}: run `manage.py migrate` first")
    group, _ = Group.objects.get_or_create(name=name)
    group.permissions.set([*viewing, *found])
    return group
