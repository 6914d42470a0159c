"""What comparisons with the broker found, and the acceptance of a POSITION break."""

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from execution.admin import base
from execution.admin.base import ActionForm, ReadOnlyAdmin
from execution.entry.order_controls import NotAllowed
from execution.market import clock
from execution.models import BrokerAccount, BrokerDifference, DatabaseOrigin, Recovery
from execution.reconciliation import break_acceptance


class ReasonForm(ActionForm):
    reason = forms.CharField(max_length=300, required=False)


@admin.action(description="Accept: count the broker's shares as held", permissions=["accept"])
def accept(
    model: "BrokerDifferenceAdmin", request: HttpRequest, chosen: QuerySet[BrokerDifference]
) -> None:
    who, reason = request.user.get_username(), request.POST.get("reason", "")
    for each in chosen.order_by("pk"):
        try:
            break_acceptance.accept(each.pk, by=who, reason=reason, now=clock.now())
        except BrokerDifference.DoesNotExist:
            said = f"{each.kind} of {each.symbol or each.subject}: only a POSITION can be accepted"
        except (NotAllowed, ValueError) as error:
            said = str(error)
        else:
            model.message_user(request, f"{each.symbol}: {each.theirs} count as held from now on")
            continue
        model.message_user(request, said, messages.ERROR)


@admin.register(BrokerDifference)
class BrokerDifferenceAdmin(ReadOnlyAdmin[BrokerDifference]):
    actions = (accept,)
    action_form = ReasonForm
    list_display = (
        "coloured",
        "account",
        "symbol",
        "ours",
        "theirs",
        "words",
        "first_seen",
        "gone",
        "accepted_by",
    )
    list_filter = (("gone_at_real", admin.EmptyFieldListFilter), "kind", "broker", "account")
    search_fields = ("symbol__exact", "subject__exact")
    search_help_text = "a symbol in capitals, or an order's whole id"
    ordering = ("-pk",)

    def has_accept_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("execution.change_brokerdifference")

    @admin.display(description="kind", ordering="kind")
    def coloured(self, row: BrokerDifference) -> SafeString:
        return base.badge(row.kind)

    @admin.display(description="first seen", ordering="first_seen_at_real")
    def first_seen(self, row: BrokerDifference) -> str:
        return base.exchange_time(row.first_seen_at_real)

    @admin.display(description="gone", ordering="gone_at_real")
    def gone(self, row: BrokerDifference) -> str:
        return base.exchange_time(row.gone_at_real)


@admin.register(BrokerAccount)
class BrokerAccountAdmin(ReadOnlyAdmin[BrokerAccount]):
    list_display = (
        "broker",
        "account",
        "money",
        "power",
        "held",
        "compared",
        "accepted_by",
        "problem",
    )
    list_filter = ("broker",)

    @admin.display(description="cash", ordering="cash")
    def money(self, row: BrokerAccount) -> str:
        return f"{row.cash:,.2f}"

    @admin.display(description="buying power", ordering="buying_power")
    def power(self, row: BrokerAccount) -> str:
        return f"{row.buying_power:,.2f}"

    @admin.display(description="positions")
    def held(self, row: BrokerAccount) -> str:
        held = sorted(row.positions.items())
        return ", ".join(f"{shares:,} {symbol}" for symbol, shares in held) or base.NOTHING

    @admin.display(description="compared", ordering="compared_at_real")
    def compared(self, row: BrokerAccount) -> str:
        return base.exchange_time(row.compared_at_real)


@admin.register(Recovery)
class RecoveryAdmin(ReadOnlyAdmin[Recovery]):
    """`manage.py recovery` compares and releases: that takes minutes, which no page should."""

    list_display = ("began", "cause", "backup", "was_halted", "released", "released_by", "why")
    ordering = ("-pk",)

    @admin.display(description="began", ordering="began_at_real")
    def began(self, row: Recovery) -> str:
        return base.exchange_time(row.began_at_real)

    @admin.display(description="backup of")
    def backup(self, row: Recovery) -> str:
        return base.exchange_time(row.backup_at_real)

    @admin.display(description="released", ordering="released_at_real")
    def released(self, row: Recovery) -> str:
        return base.exchange_time(row.released_at_real)

    @admin.display(description="reason")
    def why(self, row: Recovery) -> str:
        return row.released_reason


@admin.register(DatabaseOrigin)
class DatabaseOriginAdmin(ReadOnlyAdmin[DatabaseOrigin]):
    list_display = ("system", "database", "timeline")
