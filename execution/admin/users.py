"""People, their roles and their API tokens, in the look of the other pages."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from rest_framework.authtoken.admin import TokenAdmin
from rest_framework.authtoken.models import TokenProxy

from execution.admin.base import ModelAdmin

if TYPE_CHECKING:
    from django.contrib.auth.forms import (
        AdminPasswordChangeForm,
        UserChangeForm,
        UserCreationForm,
    )
else:
    from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

for known in (User, Group, TokenProxy):
    admin.site.unregister(known)


@admin.register(User)
class PersonAdmin(UserAdmin[User], ModelAdmin[Any]):
    form = UserChangeForm  # type: ignore[assignment]
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm


@admin.register(Group)
class RoleAdmin(GroupAdmin, ModelAdmin[Any]):
    pass


@admin.register(TokenProxy)
class ApiTokenAdmin(TokenAdmin, ModelAdmin[Any]):
    list_display = ("user", "created")  # not the keys
