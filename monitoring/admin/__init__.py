"""The back office's view of what was noticed."""

from django.contrib import admin

from monitoring.admin import alerts, costs

admin.site.index_template = "monitoring/operations/index.html"

__all__ = ["alerts", "costs"]
