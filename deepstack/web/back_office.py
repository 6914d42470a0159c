"""The back office as a site."""

from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject
from typing_extensions import override
from unfold.sites import UnfoldAdminSite


class BackOffice(UnfoldAdminSite):
    @override
    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> Any:
        """Django has every page collect all models with their addresses; our navigation names its
        own (`deepstack.admin_site`), so that no page of ours ever asks."""
        return SimpleLazyObject(lambda: super(BackOffice, self).get_app_list(request, app_label))
