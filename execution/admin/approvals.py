"""What two persons have agreed on, or one has proposed."""

from django.contrib import admin

from execution.admin import base
from execution.admin.base import ReadOnlyAdmin
from execution.models import Approval


@admin.register(Approval)
class ApprovalAdmin(ReadOnlyAdmin[Approval]):
    list_display = ("subject", "reason", "proposed_by", "until", "approved_by", "approved")
    list_filter = ("proposed_by", "approved_by")
    search_fields = ("subject", "reason")

    @admin.display(description="good until", ordering="expires_at_real")
    def until(self, row: Approval) -> str:
        return base.exchange_time(row.expires_at_real)

    @admin.display(description="approved", ordering="approved_at_real")
    def approved(self, row: Approval) -> str:
        return base.exchange_time(row.approved_at_real)
