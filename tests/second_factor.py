"""A phone that shows codes, as a person with a second factor has one."""

import time
from binascii import unhexlify

from django.contrib.auth.models import User
from django_otp.oath import TOTP
from django_otp.plugins.otp_totp.models import TOTPDevice


def enrolled(user: User) -> TOTPDevice:
    """Before the person's API token is made: a token of before is none any more."""
    device: TOTPDevice = TOTPDevice.objects.create(user=user, name="phone")
    return device


def code(key: str, *, steps: int = 0) -> str:
    """What the phone shows now, or so many steps of 30 s later."""
    totp = TOTP(unhexlify(key))
    totp.time = time.time() + 30 * steps
    return f"{totp.token():06d}"
