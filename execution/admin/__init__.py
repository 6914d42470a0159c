"""The back office: everything can be seen, and changed only by the calls that every door makes."""

from django.contrib import admin

from execution.admin import (
    approvals,
    archive,
    desks,
    ibkr,
    limits,
    market,
    orders,
    positions,
    reconciliation,
    slices_fills_events,
    trading_states,
    users,
)

admin.site.index_title = "Operations"

__all__ = [
    "approvals",
    "archive",
    "desks",
    "ibkr",
    "limits",
    "market",
    "orders",
    "positions",
    "reconciliation",
    "slices_fills_events",
    "trading_states",
    "users",
]
