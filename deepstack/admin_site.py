"""The back office's look, and its navigation in the order of a working day.

Pages are named by their models, so that this file needs none of them. A page shows where its user
may see the model; a model that is in no group is an internal one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import get_script_prefix, reverse


@dataclass(frozen=True, slots=True)
class Page:
    """A page in the navigation: a title, `app.model`, and an icon of Material Symbols.

    It is the model's list, or `view`, a page of its own by the name of its address.
    """

    title: str
    model: str
    icon: str
    view: str = ""

    @property
    def address(self) -> str:
        name = self.view or f"admin:{self.model.replace('.', '_')}_changelist"
        return _address(name, get_script_prefix())

    def may_see(self, request: HttpRequest) -> bool:
        app, _, model = self.model.partition(".")
        acts = ("view", "change")
        return any(request.user.has_perm(f"{app}.{act}_{model}") for act in acts)


@cache
def _address(name: str, prefix: str) -> str:
    """Every page shows dozens of them, and none changes while the process runs."""
    return reverse(name)


GROUPS: Mapping[str, Sequence[Page]] = {
    "Orders": (
        Page("Orders", "execution.order", "list_alt"),
        Page("Baskets", "execution.order", "shopping_basket", view="baskets"),
        Page("Slices", "execution.slice", "splitscreen"),
        Page("Fills", "execution.fill", "done_all"),
        Page("Audit trail", "execution.orderevent", "history"),
    ),
    "Alerts": (
        Page("Alerts", "monitoring.alert", "notifications"),
        Page("Deliveries", "monitoring.alertdelivery", "outgoing_mail"),
        Page("Channels", "monitoring.channelhealth", "campaign"),
        Page("Webhooks", "monitoring.webhookdelivery", "webhook"),
    ),
    "TCA": (
        Page("TCA report", "monitoring.costanalysis", "monitoring", view="tca"),
        Page("Cost analyses", "monitoring.costanalysis", "query_stats"),
        Page("Daily summaries", "monitoring.dailysummary", "calendar_month"),
        Page("Order replays", "monitoring.orderreplay", "replay"),
        Page("Reports sent", "monitoring.reportdelivery", "forward_to_inbox"),
        Page("Calibrations", "execution.slippagecalibration", "tune"),
    ),
    "Risk": (
        Page("Trading states", "execution.tradingstate", "block"),
        Page("Changes of state", "execution.tradingstatechange", "manage_history"),
        Page("Circuit breakers", "monitoring.breakertrip", "electric_bolt"),
        Page("Approvals", "execution.approval", "group"),
        Page("Positions", "execution.position", "account_balance_wallet"),
        Page("Trades of the day", "execution.daytrade", "today"),
        Page("Risk limits", "execution.risklimit", "speed"),
        Page("Changes of limits", "execution.risklimitchange", "manage_history"),
        Page("Restricted symbols", "execution.restrictedsymbol", "do_not_disturb_on"),
    ),
    "Market": (
        Page("Trading halts", "execution.markethalt", "front_hand"),
        Page("Special days", "execution.calendaroverride", "event_busy"),
        Page("Volume profiles", "execution.volumeprofile", "bar_chart"),
        Page("Bars", "execution.bar", "candlestick_chart"),
    ),
    "Broker": (
        Page("Reconciliation breaks", "execution.brokerdifference", "difference"),
        Page("Accounts", "execution.brokeraccount", "account_balance"),
        Page("Links", "execution.brokerlink", "link"),
        Page("Recoveries", "execution.recovery", "restore"),
    ),
    "Administration": (
        Page("Users", "auth.user", "person"),
        Page("Roles", "auth.group", "group"),
        Page("Desks", "execution.desk", "groups"),
        Page("API tokens", "authtoken.tokenproxy", "key"),
        Page("Second factors", "execution.secondfactorchange", "phonelink_lock"),
    ),
}
START = {"title": "Operations", "icon": "monitor_heart", "link": "/admin/"}


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    groups = [_group(title, pages, request) for title, pages in GROUPS.items()]
    known = [group for group in groups if group["items"]]
    return [{"items": [dict(START)]}, *known, *_internals(request)]


def _group(title: str, pages: Sequence[Page], request: HttpRequest) -> dict[str, Any]:
    return {
        "title": title,
        "separator": True,
        "items": [
            {"title": page.title, "icon": page.icon, "link": page.address}
            for page in pages
            if page.may_see(request)
        ],
    }


def _internals(request: HttpRequest) -> list[dict[str, Any]]:
    """Rows of the service's own book-keeping, for superusers."""
    if not request.user.is_superuser:
        return []
    from django.contrib import admin  # needs the apps, which need the settings

    named = {page.model for pages in GROUPS.values() for page in pages}
    pages = [
        Page(str(model._meta.verbose_name_plural).capitalize(), model._meta.label_lower, "database")
        for model in admin.site._registry
        if model._meta.label_lower not in named
    ]
    pages.sort(key=lambda page: page.title)
    return [{**_group("Internals", pages, request), "collapsible": True}]


def account_links(request: HttpRequest) -> list[dict[str, str]]:
    """Below the name of who is logged in."""
    pages = {"Change password": "admin:password_change", "Second factor": "second_factor"}
    return [{"title": title, "link": reverse(page)} for title, page in pages.items()]


def _own(name: str) -> Any:
    return lambda request: static(name)


LOOK: Mapping[str, Any] = {
    "SITE_TITLE": "DeepStack Execution",
    "SITE_HEADER": "DeepStack Execution",
    "SITE_SYMBOL": "candlestick_chart",
    "SITE_URL": None,
    "SHOW_VIEW_ON_SITE": False,
    "BORDER_RADIUS": "6px",
    "ENVIRONMENT": "execution.admin.trading_mode.label",
    "GLOBAL_CALLBACK": "monitoring.operations.page.on_every_page",
    "DASHBOARD_CALLBACK": "monitoring.operations.page.start_page",
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": _own("execution/favicon.svg")}
    ],
    "ACCOUNT": {"navigation": account_links},
    "STYLES": [_own("execution/admin.css")],
    "SCRIPTS": [_own("execution/autofocus.js")],
    "SIDEBAR": {"navigation": navigation},
    "COLORS": {
        "primary": {
            "50": "oklch(97% .014 254.6)",
            "100": "oklch(93.2% .032 255.6)",
            "200": "oklch(88.2% .059 254.1)",
            "300": "oklch(80.9% .105 251.8)",
            "400": "oklch(70.7% .165 254.6)",
            "500": "oklch(62.3% .214 259.8)",
            "600": "oklch(54.6% .245 262.9)",
            "700": "oklch(48.8% .243 264.4)",
            "800": "oklch(42.4% .199 265.6)",
            "900": "oklch(37.9% .146 265.5)",
            "950": "oklch(28.2% .091 267.9)",
        }
    },
}
