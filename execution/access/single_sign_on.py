"""Whom single sign-on lets in, and with which roles, by the claims of an ID token that was checked.

A login by it grants nothing that a superuser has not set up: it makes no superuser, and does not
touch what one may do.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.contrib.auth.models import Group, User
from django.contrib.sessions.backends.base import SessionBase
from django.core.exceptions import ValidationError
from django.db import transaction

from deepstack.config import Config, current
from deepstack.web import session_limits

log = structlog.get_logger(__name__)

Claims = Mapping[str, Any]
GIVEN = "single_sign_on_second_factor"  # of the session: the moment of the login that had one


class Refused(Exception):
    """The text tells the person why, and what comes next. Nothing was stored."""

    def __init__(self, why: str, *, name: str = "") -> None:
        super().__init__(why)
        self.name = name


@transaction.atomic
def person_of(claims: Claims) -> User:
    """Stored with the roles of the groups, where groups are mapped. Raises Refused."""
    config = current()
    name = _name_in(claims, config)
    try:
        user = _known(name) or _new(name, config)
        _check(user, config)
        if config.oidc_maps_roles and not user.is_superuser:
            _give(user, _roles_in(claims, config))
    except Refused as refused:
        refused.name = name
        raise
    return user


def proves_second_factor(claims: Claims) -> bool:
    """Whether the provider says that more than a password was given."""
    methods = claims.get("amr")
    said = [*(methods if isinstance(methods, list) else ()), claims.get("acr")]
    accepted = current().oidc_second_factor
    return any(isinstance(each, str) and each in accepted for each in said)


def note_second_factor(session: SessionBase) -> None:
    """Of the login that has just begun."""
    session[GIVEN] = session[session_limits.BEGAN]


def second_factor_given(session: SessionBase) -> bool:
    """Another login in the same session, by a password, begins at another moment."""
    given = session.get(GIVEN)
    return bool(given) and given == session.get(session_limits.BEGAN)


def _name_in(claims: Claims, config: Config) -> str:
    claim = config.oidc_user_claim
    name = claims.get(claim)
    if not isinstance(name, str) or not name:
        raise Refused(f"the identity provider did not say who you are: its {claim!r} is missing")
    if claim == "email" and claims.get("email_verified") is not True:
        raise Refused("the identity provider has not verified your e-mail address", name=name)
    return name


def _roles_in(claims: Claims, config: Config) -> Sequence[str]:
    groups = claims.get(config.oidc_groups_claim)
    own = {each for each in groups if isinstance(each, str)} if isinstance(groups, list) else set()
    roles = [role for role, mapped in config.oidc_role_groups.items() if own.intersection(mapped)]
    if not roles:
        raise Refused(
            "you are in no group that has a role here: ask whoever administers the identity"
            " provider to put you into one"
        )
    return roles


def _known(name: str) -> User | None:
    return User.objects.select_for_update().filter(username=name).first()


def _new(name: str, config: Config) -> User:
    if not config.oidc_create_users:
        raise Refused(f"there is no user {name!r} here: ask a superuser to create one")
    user = User(username=name, is_staff=True)
    user.set_unusable_password()
    try:
        user.clean_fields()
    except ValidationError as error:
        raise Refused(f"{name!r} cannot be a user's name: {'; '.join(error.messages)}") from None
    # Two users whom a person takes for one.
    usual = User.normalize_username(name)
    if usual != name or User.objects.filter(username__iexact=name).exclude(username=name).exists():
        raise Refused(f"{name!r} reads like the name of another user: ask a superuser")
    # Of two first logins at the same time, the second finds the row of the first.
    made, new = User.objects.get_or_create(
        username=name, defaults={"is_staff": True, "password": user.password}
    )
    if new:
        _record(made, ADDITION, "created by single sign-on")
    return made


def _check(user: User, config: Config) -> None:
    if not user.is_active or not user.is_staff:
        raise Refused(
            f"the user {user.username!r} may not enter the back office: ask a superuser to set"
            " Active and Staff status"
        )
    if user.is_superuser and not config.oidc_superusers:
        raise Refused("a superuser logs in with the password: single sign-on is not for superusers")


def _give(user: User, roles: Sequence[str]) -> None:
    """These of our roles and no other of them; groups of your own stay."""
    managed = Group.objects.filter(name__in=current().oidc_role_groups)
    had = set(managed.filter(user=user).values_list("name", flat=True))
    if had == set(roles):
        return
    wanted = list(managed.filter(name__in=roles))
    if len(wanted) != len(roles):
        raise Refused("the roles are not set up: an administrator runs `manage.py roles`")
    user.groups.remove(*managed.exclude(name__in=roles))
    user.groups.add(*wanted)
    before, after = (", ".join(sorted(each)) or "none" for each in (had, roles))
    _record(user, CHANGE, f"roles by single sign-on: {before} -> {after}")


def _record(user: User, flag: int, what: str) -> None:
    """In the user's history, beside what superusers did to it."""
    LogEntry.objects.log_actions(user.pk, [user], flag, what, single_object=True)
    log.warning("user changed", user=user.username, what=what)
