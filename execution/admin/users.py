"""People, their roles, API tokens and second factors, in the look of the other pages."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest
from django_otp.plugins.otp_totp import admin as _registers_the_device  # noqa: F401
from django_otp.plugins.otp_totp.models import TOTPDevice
from rest_framework.authtoken.admin import TokenAdmin
from rest_framework.authtoken.models import TokenProxy
from typing_extensions import override

from execution.access import second_factor
from execution.admin import base
from execution.admin.base import ExportedAdmin, ReadOnlyAdmin
from execution.admin.stale_pages import FreshForm
from execution.models import SecondFactorChange

if TYPE_CHECKING:
    from django.contrib.auth.forms import (
        AdminPasswordChangeForm,
        UserChangeForm,
        UserCreationForm,
    )
else:
    from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

# A device shows its secret on a page: it is enrolled and reset by calls of our own.
for known in (User, Group, TokenProxy, TOTPDevice):
    admin.site.unregister(known)


class PersonForm(FreshForm[User], UserChangeForm):  # type: ignore[type-arg]  # unfold's is none
    pass


@admin.register(User)
class PersonAdmin(UserAdmin[User], ExportedAdmin[Any]):
    form = PersonForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    readonly_fields = ("last_login", "date_joined")
    list_display = ("username", "first_name", "last_name", "is_active", "roles", "second_factor")

    @override
    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        device = TOTPDevice.objects.filter(user=OuterRef("pk"), confirmed=True)
        rows: QuerySet[User] = super().get_queryset(request).prefetch_related("groups")
        return rows.annotate(has_device=Exists(device))

    @admin.display(description="roles")
    def roles(self, row: User) -> str:
        superuser = ["superuser"] if row.is_superuser else []
        return ", ".join([*superuser, *(each.name for each in row.groups.all())])

    @admin.display(description="second factor", boolean=True)
    def second_factor(self, row: Any) -> bool:
        return bool(row.has_device)


@admin.register(Group)
class RoleAdmin(GroupAdmin, ExportedAdmin[Any]):
    pass


class TokenForm(forms.ModelForm[TokenProxy]):
    def clean_user(self) -> User:
        user: User = self.cleaned_data["user"]
        if second_factor.asked_of(user):
            raise forms.ValidationError("takes a code of this person: POST to /api/v1/token/")
        return user


@admin.register(TokenProxy)
class ApiTokenAdmin(TokenAdmin, ExportedAdmin[Any]):
    form = TokenForm
    kept_back = ("key",)
    list_display = ("user", "created")  # not the keys


@admin.register(SecondFactorChange)
class SecondFactorChangeAdmin(ReadOnlyAdmin[SecondFactorChange]):
    list_display = ("changed", "user", "kind", "changed_by", "changed_via", "reason")
    list_filter = ("kind", "changed_by", "changed_via")
    search_fields = ("user", "reason")

    @admin.display(description="changed", ordering="changed_at_real")
    def changed(self, row: SecondFactorChange) -> str:
        return base.exchange_time(row.changed_at_real)
