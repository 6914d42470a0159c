"""Figures as the pages show them; what is not known is n/a."""

from datetime import datetime
from decimal import Decimal

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from execution.domain import figures
from execution.domain.exchange_time import short_time
from execution.models import Order

register = template.Library()
NOT_KNOWN = "n/a"


@register.filter
def thousands(value: int) -> str:
    return f"{value:,}"


@register.filter
def money(value: Decimal) -> str:
    """Dollars, rounded."""
    return f"${value:,.0f}"


@register.filter
def signed_bps(value: Decimal | float | None) -> str:
    """+ is a cost."""
    return NOT_KNOWN if value is None else f"{figures.signed(value)} bps"


@register.filter
def cost_bps(value: Decimal | float | None) -> str:
    """As `signed_bps`, in the colour of a cost or a gain."""
    if value is None:
        return NOT_KNOWN
    rounded = round(float(value), 1)
    kind = "ds-cost" if rounded > 0 else "ds-gain" if rounded < 0 else "ds-numbers"
    return format_html('<span class="{}">{} bps</span>', kind, figures.signed(value))


@register.filter
def clock_time(at: datetime, now: datetime) -> str:
    return short_time(at, now)


@register.simple_tag
def filled_bar(order: Order, planned: int | None = None) -> SafeString:
    return bar(order.filled_quantity, order.quantity, planned)


def bar(done: int, whole: int, planned: int | None = None) -> SafeString:
    """A bar with the numbers that it stands for, and a mark at what is planned by now."""
    mark = "" if planned is None else format_html('<u style="left:{}%"></u>', _of(planned, whole))
    return format_html(
        '<span class="ds-bar"><i style="width:{}%"></i>{}</span>'
        '<span class="ds-numbers">{} / {}</span>',
        _of(done, whole),
        mark,
        f"{done:,}",
        f"{whole:,}",
    )


def _of(part: int, whole: int) -> int:
    """In percent."""
    return min(100 * part // whole, 100) if whole > 0 else 0


@register.filter
def bps_alone(value: Decimal | float | None) -> str:
    """In a column that names the unit."""
    return NOT_KNOWN if value is None else figures.signed(value)


@register.filter
def percent(share: Decimal | float | None) -> str:
    return NOT_KNOWN if share is None else f"{share:.1%}"


@register.filter
def share_of(part: int, whole: int) -> str:
    """In whole per cent; of nothing it is none."""
    return f"{part / whole:.0%}" if whole else NOT_KNOWN


@register.filter
def counted(count: int, name: str) -> str:
    """`1 order`, `2,000 orders`."""
    return figures.counted(count, name)


@register.filter
def price(value: Decimal | None) -> str:
    return NOT_KNOWN if value is None else f"{value:,.4f}"


@register.filter
def signed_money(value: Decimal) -> str:
    """Dollars and cents, + is a cost."""
    return f"{'-' if value < 0 else '+'}${abs(value):,.2f}"
