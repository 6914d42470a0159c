"""Codes for the day on which the phone is lost: shown once, each good for one login."""

import secrets
from base64 import b32encode
from collections.abc import Sequence
from hashlib import sha256

from django.contrib.auth.models import User
from django.utils import timezone

from execution.models import RecoveryCode

COUNT = 10
BYTES = 10  # 80 bits: nobody guesses one, so that a plain hash hides it
GROUP = 4
LENGTH = BYTES * 8 // 5


def renew(user: User) -> Sequence[str]:
    """New codes in the place of all others of the user, as a person reads them. Inside a
    transaction."""
    plain = [b32encode(secrets.token_bytes(BYTES)).decode() for _ in range(COUNT)]
    RecoveryCode.objects.filter(user=user).delete()
    RecoveryCode.objects.bulk_create(
        RecoveryCode(user=user, digest=_digest(each)) for each in plain
    )
    return [in_groups(each) for each in plain]


def use(user: User, code: str) -> bool:
    """Whether it was a code of the user, which it is no more. `code`: letters and digits alone."""
    if len(code) != LENGTH:
        return False
    found = RecoveryCode.objects.filter(user=user, digest=_digest(code), used_at_real=None)
    return bool(found.update(used_at_real=timezone.now()))


def left(user: User) -> int:
    return RecoveryCode.objects.filter(user=user, used_at_real=None).count()


def in_groups(text: str) -> str:
    return "-".join(text[at : at + GROUP] for at in range(0, len(text), GROUP))


def _digest(code: str) -> str:
    return sha256(code.upper().encode()).hexdigest()
