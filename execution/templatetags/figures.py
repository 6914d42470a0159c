"""Figures as the pages show them; what is not known is n/a."""

from decimal import Decimal

from django import template

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
    return NOT_KNOWN if value is None else f"{value:+.1f} bps"


@register.filter
def bps_alone(value: Decimal | float | None) -> str:
    """In a column that names the unit."""
    return NOT_KNOWN if value is None else f"{value:+.1f}"


@register.filter
def percent(share: float) -> str:
    return f"{share:.1%}"


@register.filter
def counted(count: int, name: str) -> str:
    """`1 order`, `2,000 orders`."""
    return f"{count:,} {name}{'' if count == 1 else 's'}"


@register.filter
def price(value: Decimal | None) -> str:
    return NOT_KNOWN if value is None else f"{value:,.4f}"


@register.filter
def signed_money(value: Decimal) -> str:
    """Dollars and cents, + is a cost."""
    return f"{'-' if value < 0 else '+'}${abs(value):,.2f}"
