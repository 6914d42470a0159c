"""A phone that shows codes, as a person with a second factor has one."""

import time
from binascii import unhexlify

from django.contrib.auth.models import Group, User
from django_otp.oath import TOTP
from django_otp.plugins.otp_totp.models import TOTPDevice
from rest_framework.authtoken.models import Token

from execution.management.roles import ensure_roles


def enrolled(user: User) -> TOTPDevice:
    """Before the person's API token is made: a token of before is none any more."""
    device: TOTPDevice = TOTPDevice.objects.create(user=user, name="phone")
    return device


def code(key: str, *, steps: int = 0) -> str:
    """What the phone shows now, or so many steps of 30 s later."""
    totp = TOTP(unhexlify(key))
    totp.time = time.time() + 30 * steps
    return f"{totp.token():06d}"


def token_of(name: str, *roles: str) -> str:
    """The API token of a new user with these roles, as live trading asks for it."""
    ensure_roles()
    user = User.objects.create_user(name)
    user.groups.set(Group.objects.filter(name__in=roles))
    enrolled(user)
    return str(Token.objects.create(user=user).key)
