"""The second factor of a person: a code that changes every 30 seconds (TOTP, RFC 6238).

It is asked of whom `controls.second_factor` requires it, and of whoever has enrolled. A password
alone still halts trading: `execution.access.login_gate`.
"""

import re
from base64 import b32encode
from binascii import unhexlify
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Any, Final

import structlog
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone
from django_otp.oath import TOTP
from django_otp.plugins.otp_totp.models import TOTPDevice
from rest_framework.authtoken.models import Token

from deepstack.config import Config, current
from deepstack.web import login_throttle
from execution.access import recovery_codes
from execution.models import SecondFactorChange
from execution.orders import caller

log = structlog.get_logger(__name__)

Kind = SecondFactorChange.Kind
# Whoever may do one of these can loosen a control, or become somebody who can.
LOOSENS = (
    "execution.change_tradingstate",
    "execution.change_risklimit",
    "execution.change_brokerdifference",
    "auth.change_user",
    "auth.change_group",
)
TOLERANCE: Final = 1  # steps of 30 s that a phone's clock may be off, either way
FREE_FAILURES = 5  # wrong codes in a row before the next has to wait
LONGEST_WAIT = timedelta(minutes=15)
CODE = re.compile(r"[0-9]{6}")
_BETWEEN = re.compile(r"[\s-]+")
NOT_OF_NOW = "that is not the code of now, or it was used already: wait for the next one"


class WrongCode(ValueError):
    """The text says what to do next. Nothing was changed but the count of failures."""


@dataclass(frozen=True, slots=True)
class Secret:
    """What a phone and this service share; `key` in hex, as the device keeps it."""

    key: str

    @property
    def readable(self) -> str:
        """For a person who types it."""
        return recovery_codes.in_groups(b32encode(unhexlify(self.key)).decode()).replace("-", " ")

    def address(self, user: User) -> str:
        """The otpauth URL that a QR code carries."""
        return str(TOTPDevice(user=user, key=self.key).config_url)


def required_of(user: Any, config: Config) -> bool:
    """By the configuration, whether or not the person has enrolled."""
    setting = config.controls.second_factor
    if setting == "never" or (setting == "live" and config.trading_mode != "live"):
        return False
    return bool(user.is_superuser) or any(user.has_perm(each) for each in LOOSENS)


def asked_of(user: Any) -> bool:
    """Whether a password alone is not enough for this person."""
    config = current()
    if config.controls.second_factor == "never":
        return False
    return required_of(user, config) or has_device(user)


def must_enrol(user: Any) -> bool:
    return required_of(user, current()) and not has_device(user)


def has_device(user: Any) -> bool:
    """Read with the user of a session (`deepstack.web.login_backend`)."""
    known = getattr(user, "has_device", None)
    return device_of(user) is not None if known is None else bool(known)


def device_of(user: Any) -> TOTPDevice | None:
    found: TOTPDevice | None = TOTPDevice.objects.filter(user=user, confirmed=True).first()
    return found


def check(user: User, text: str, *, address: str) -> TOTPDevice:
    """The person's device, once its code of now or a recovery code was given; each is good once.

    Raises WrongCode, or TooManyFailures of the address before anything is looked at.
    """
    name = f"{user.get_username()}, second factor"
    if seconds := login_throttle.throttle.wait(address, name):
        raise login_throttle.TooManyFailures(seconds)
    try:
        device = _accepting(user, _BETWEEN.sub("", text))
    except WrongCode:
        login_throttle.throttle.failed(address, name)
        log.warning("second factor failed", user=user.get_username(), address=address)
        raise
    login_throttle.throttle.succeeded(address, name)
    log.info("second factor", user=user.get_username(), address=address)
    return device


def _accepting(user: User, code: str) -> TOTPDevice:
    with transaction.atomic():
        device = _locked(user)
        if device is None:
            raise WrongCode("no second factor is enrolled: log in to the back office to enrol")
        if recovery_codes.use(user, code):
            record(user, Kind.RECOVERY_CODE_USED, by=user.get_username())
            return device
        wait = _seconds_to_wait(device, timezone.now())
        # The count of failures is part of what is committed here, so nothing is raised inside.
        right = not wait and _is_of(device, code)
    if wait:
        raise WrongCode(
            f"too many wrong codes: the next is looked at in {wait} s. A recovery code is taken now"
        )
    if not right:
        raise WrongCode(NOT_OF_NOW)
    return device


def _locked(user: User) -> TOTPDevice | None:
    """Of two who give the same code at the same time, the second finds it used."""
    rows = TOTPDevice.objects.select_for_update().filter(user=user, confirmed=True)
    found: TOTPDevice | None = rows.first()
    return found


def _is_of(device: TOTPDevice, code: str) -> bool:
    return bool(device.verify_token(code if CODE.fullmatch(code) else ""))


def wait_after(failures: int) -> timedelta:
    """After so many wrong codes in a row: from 4 s, doubling to 15 minutes. A guesser who knows the
    password has about 100 of a million codes a day; the owner has the recovery codes."""
    if failures < FREE_FAILURES:
        return timedelta(0)
    return min(timedelta(seconds=2 ** min(failures - FREE_FAILURES + 2, 20)), LONGEST_WAIT)


def _seconds_to_wait(device: TOTPDevice, now: datetime) -> int:
    last: datetime | None = device.throttling_failure_timestamp
    if last is None:
        return 0
    until = last + wait_after(device.throttling_failure_count)
    return max(ceil((until - now).total_seconds()), 0)


def new_secret() -> Secret:
    return Secret(TOTPDevice().key)


def shows(secret: Secret, code: str) -> bool:
    """Whether it is the secret's code of now."""
    return _step(secret, code) is not None


def _step(secret: Secret, code: str) -> int | None:
    """The step of 30 s, counted from 1970, of which this is the code."""
    totp, plain = TOTP(unhexlify(secret.key)), _BETWEEN.sub("", code)
    if not CODE.fullmatch(plain) or not totp.verify(int(plain), tolerance=TOLERANCE):
        return None
    return int(totp.t())


@transaction.atomic
def enrol(user: User, secret: Secret, code: str, *, replacing: TOTPDevice | None) -> Sequence[str]:
    """The device that shows `code` becomes the person's, in the place of `replacing`; the recovery
    codes, which are shown once. API tokens that were issued without a code end.

    Raises WrongCode, also where somebody else has enrolled for this person meanwhile.
    """
    User.objects.select_for_update().get(pk=user.pk)
    if device_of(user) != replacing:
        raise WrongCode("another device was enrolled in this moment: begin again")
    step = _step(secret, code)
    if step is None:
        raise WrongCode(NOT_OF_NOW)
    if replacing is None:
        Token.objects.filter(user=user).delete()
    TOTPDevice.objects.filter(user=user).delete()
    TOTPDevice.objects.create(
        user=user, name="phone", key=secret.key, tolerance=TOLERANCE, last_t=step
    )
    record(user, Kind.ENROLLED, by=user.get_username())
    return recovery_codes.renew(user)


@transaction.atomic
def renew_codes(user: User) -> Sequence[str]:
    record(user, Kind.CODES_RENEWED, by=user.get_username())
    return recovery_codes.renew(user)


@transaction.atomic
def reset(user: User, *, by: str, reason: str) -> None:
    """The person has no second factor any more and enrols anew at the next login; recovery codes
    and API tokens end. Sessions that were opened with the device ask again, as it is gone."""
    TOTPDevice.objects.filter(user=user).delete()
    user.recovery_codes.all().delete()
    Token.objects.filter(user=user).delete()
    record(user, Kind.RESET, by=by, reason=reason)


def not_enrolled_since_reset(now: datetime) -> "QuerySet[SecondFactorChange]":
    """Resets of the last day after which the person has not enrolled."""
    enrolled = SecondFactorChange.objects.filter(
        user=OuterRef("user"), kind=Kind.ENROLLED, pk__gt=OuterRef("pk")
    )
    lately = SecondFactorChange.objects.filter(
        kind=Kind.RESET, changed_at_real__gt=now - timedelta(days=1)
    )
    return lately.exclude(Exists(enrolled))


def record(user: User, kind: Kind, *, by: str, reason: str = "") -> None:
    SecondFactorChange.objects.create(
        user=user.get_username(),
        kind=kind,
        changed_by=by[:150],
        changed_via=caller.current().via,
        reason=reason[:300],
    )
    log.warning("second factor changed", user=user.get_username(), kind=kind.value, by=by)
