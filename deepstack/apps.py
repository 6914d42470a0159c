from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.contrib.admin.apps import SimpleAdminConfig
from django.contrib.admin.checks import check_admin_app, check_dependencies
from django.core.checks import CheckMessage, Tags, register
from typing_extensions import override


class AdminConfig(SimpleAdminConfig):
    """The back office. `deepstack.urls` imports its pages: workers and commands, which show none,
    start a third of a second sooner."""

    default_site = "deepstack.web.back_office.BackOffice"

    @override
    def ready(self) -> None:
        register(check_dependencies, Tags.admin)
        register(_check_pages, Tags.admin)


def _check_pages(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    admin.autodiscover()
    return check_admin_app(app_configs, **kwargs)
