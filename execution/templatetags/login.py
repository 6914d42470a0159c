"""What the login page asks."""

from django import template

from deepstack.config import current

register = template.Library()


@register.simple_tag
def passwords_are_for_superusers() -> bool:
    return current().oidc_only
