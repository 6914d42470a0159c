"""Desks, kept by superusers: who works on which accounts. Whom they bind sees none of them."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from typing_extensions import override

from execution.admin.base import ExportedAdmin, TabularInline
from execution.models import Desk, DeskAccount


class AccountInline(TabularInline[DeskAccount, Desk]):
    model = DeskAccount
    extra = 1
    verbose_name_plural = "accounts"


@admin.register(Desk)
class DeskAdmin(ExportedAdmin[Desk]):
    list_display = ("name", "people", "its_accounts")
    filter_horizontal = ("members",)
    search_fields = ("name", "accounts__account", "members__username")
    inlines = (AccountInline,)

    @override
    def get_queryset(self, request: HttpRequest) -> QuerySet[Desk]:
        return super().get_queryset(request).prefetch_related("members", "accounts")

    @admin.display(description="members")
    def people(self, desk: Desk) -> str:
        return ", ".join(sorted(each.get_username() for each in desk.members.all()))

    @admin.display(description="accounts")
    def its_accounts(self, desk: Desk) -> str:
        return ", ".join(sorted(each.account for each in desk.accounts.all()))
