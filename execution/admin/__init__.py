"""The back office: everything can be seen, and changed only by the calls that every door makes."""

from django.contrib import admin

from execution.admin import (
    ibkr,
    limits,
    market,
    orders,
    reconciliation,
    slices_fills_events,
    trading_states,
)

admin.site.site_header = "DeepStack Execution"
admin.site.site_title = "DeepStack Execution"
admin.site.index_title = "Operations"
admin.site.enable_nav_sidebar = False  # the tables need its room

__all__ = [
    "ibkr",
    "limits",
    "market",
    "orders",
    "reconciliation",
    "slices_fills_events",
    "trading_states",
]
