"""The back office: everything can be seen, and changed only by the calls that every door makes."""

from django.contrib import admin

from . import comparison, controls, ibkr, limits, market, orders, parts

admin.site.site_header = "DeepStack Execution"
admin.site.site_title = "DeepStack Execution"
admin.site.index_title = "Oversight"
admin.site.enable_nav_sidebar = False  # the tables need its room

__all__ = ["comparison", "controls", "ibkr", "limits", "market", "orders", "parts"]
