"""Which accounts a person sees and touches: those of the desks they are in.

Every door asks here: what it reads goes through `visible`, what it does to an account through
`require`. As long as no desk is set up everybody sees all. Superusers and whoever may set limits
(role Risk) or has `execution.every_desk` always do; a shell on the machine is outside of it, but
for commands that ask for a person's token.
"""

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from django.db.models import Exists, Model, OuterRef, Q, QuerySet

from execution.domain.signal import InvalidSignal
from execution.models import Desk, Order, TradingState
from execution.orders import caller

M = TypeVar("M", bound=Model)
Accounts = frozenset[str] | None  # None: all

SEE_ALL = ("execution.every_desk", "execution.change_risklimit")
SET_STATES = "execution.change_tradingstate"
HALT_OWN = "execution.halt_own_desk"

# The way from a row to its account. Of a scope, only ACCOUNT has one: halts of a symbol, a
# strategy or the system concern everybody.
ACCOUNT_OF: Mapping[str, str] = {
    "execution.order": "account",
    "execution.slice": "order__account",
    "execution.fill": "order__account",
    "execution.orderevent": "order__account",
    "execution.position": "account",
    "execution.daytrade": "account",
    "execution.brokeraccount": "account",
    "execution.brokerdifference": "account",
    "execution.brokercursor": "account",
    "execution.paperorder": "account",
    "execution.paperexecution": "order__account",
    "monitoring.alert": "account",
    "monitoring.alertdelivery": "alert__account",
    "monitoring.breakertrip": "account",
    "monitoring.costanalysis": "order__account",
    "monitoring.orderreplay": "order__account",
    "monitoring.dailysummary": "account",
    "monitoring.daycosts": "summary__account",
    "monitoring.reportdelivery": "account",
}
OF_SCOPE = frozenset(
    {
        "execution.tradingstate",
        "execution.tradingstatechange",
        "execution.risklimit",
        "execution.risklimitchange",
    }
)
# What is of an account, or of everybody where it names none.
OF_ACCOUNT_OR_ALL = frozenset({"execution.restrictedsymbol"})
# What tells of no account: the market, the service, what was learned.
OF_NOBODY = frozenset(
    {
        "execution.bar",
        "execution.brokerlink",
        "execution.calendaroverride",
        "execution.heartbeat",
        "execution.marketclock",
        "execution.markethalt",
        "execution.recovery",
        "execution.slippagecalibration",
        "execution.volumeprofile",
        "monitoring.channelhealth",
        "monitoring.eventcursor",
    }
)


class OtherDesk(InvalidSignal):
    """Nothing was stored: the account is not of a desk of whoever asks."""


def accounts_of(person: Any) -> Accounts:
    """Of a user; kept with the user object, which lives as long as its request."""
    if not hasattr(person, "accounts_of_desks"):
        person.accounts_of_desks = _read(person)
    found: Accounts = person.accounts_of_desks
    return found


def _read(person: Any) -> Accounts:
    if any(person.has_perm(each) for each in SEE_ALL):
        return None
    members = Desk.members.through.objects.filter(desk=OuterRef("pk"), user=person.pk)
    found = Desk.objects.annotate(own=Exists(members)).order_by()
    rows = list(found.values_list("own", "accounts__account"))
    if not rows:
        return None
    return frozenset(account for own, account in rows if own and account)


def visible(rows: QuerySet[M], person: Any) -> QuerySet[M]:
    """Those of the rows that the person may see; of a table that is not known here, none."""
    return of_accounts(rows, accounts_of(person))


def of_accounts(rows: QuerySet[M], accounts: Accounts) -> QuerySet[M]:
    if accounts is None or rows.model._meta.label_lower in OF_NOBODY:
        return rows
    label = rows.model._meta.label_lower
    if label in OF_SCOPE:
        return rows.filter(~Q(scope=TradingState.Scope.ACCOUNT) | Q(key__in=accounts))
    if label in OF_ACCOUNT_OR_ALL:
        return rows.filter(account__in={*accounts, ""})
    if label in ACCOUNT_OF:
        return rows.filter(**{f"{ACCOUNT_OF[label]}__in": accounts})
    return rows.none() if rows.model._meta.app_label in ("execution", "monitoring") else rows


def require(accounts: Iterable[str]) -> None:
    """Raises OtherDesk that names each account which the caller may not touch."""
    own = _of_caller()
    if own is None:
        return
    given = list(accounts)
    wrong = {
        f"{index}.account" if len(given) > 1 else "account": f"{account} is not of your desks"
        for index, account in enumerate(given)
        if account not in own
    }
    if wrong:
        raise OtherDesk(wrong)


def require_order(order: Order) -> None:
    """Raises Order.DoesNotExist: of an order of another desk nothing is told, not even that it
    exists."""
    own = _of_caller()
    if own is not None and order.account not in own:
        raise Order.DoesNotExist


def may_set_state(person: Any, *, scope: str, key: str, state: str) -> bool:
    """Whoever may set trading states sets any, or where desks bound them those of their accounts;
    a trader halts these, and lifts nothing."""
    own = accounts_of(person)
    if own is None:
        return bool(person.has_perm(SET_STATES))
    halts = state == TradingState.State.HALTED and person.has_perm(HALT_OWN)
    mine = scope == TradingState.Scope.ACCOUNT and key in own
    return mine and bool(halts or person.has_perm(SET_STATES))


def sets_some_state(person: Any) -> bool:
    """Whether there is a trading state that the person may set."""
    own = accounts_of(person)
    return bool(person.has_perm(SET_STATES) or (own and person.has_perm(HALT_OWN)))


def _of_caller() -> Accounts:
    """A process and a shell have no person, and see all."""
    person = caller.current().person()
    return None if person is None else accounts_of(person)
