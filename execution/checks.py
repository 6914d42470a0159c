"""System checks: a service that is set up dangerously refuses to start."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg
from django.core.checks import CheckMessage, Error, Tags, register
from django.core.checks import Warning as Caution
from django.db import connection

from deepstack import database, observability, private_files
from deepstack.config import ROOT, Config, current
from deepstack.database import pooling
from execution.broker import BROKERS
from execution.broker.live_readiness import live_problems

# What a process must know before it trades; code and addresses do not change from start to start,
# and `manage.py check` looks at all of it.
CONFIGURATION = "configuration"
SINGLE_SIGN_ON = "authlib"  # a package and its module


@register(CONFIGURATION)
def live_trading_is_deliberate(
    app_configs: Sequence[Any] | None, **kwargs: Any
) -> list[CheckMessage]:
    return live_problems(current())


@register(CONFIGURATION)
def names_are_known(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    return name_problems(current())


def name_problems(config: Config) -> list[CheckMessage]:
    """The settings that name a part of this installation; in live trading `live_problems` says more
    about the broker."""
    from execution.market import MARKET_DATA  # the apps are loaded by now

    known = {"market.source": (config.market.source, sorted(MARKET_DATA))}
    if config.live_broker and config.trading_mode == "paper":
        known["live_broker"] = (config.live_broker, sorted(set(BROKERS) - {"paper"}))
    return [
        Error(
            f"{key} = {value!r}: this installation has {', '.join(allowed)}.",
            hint=f"Set {key.replace('.', '__').upper()} to one of them.",
            id="execution.E008",
        )
        for key, (value, allowed) in known.items()
        if value not in allowed
    ]


@register(CONFIGURATION)
def what_watches_is_installed(
    app_configs: Sequence[Any] | None, **kwargs: Any
) -> list[CheckMessage]:
    """A warning: nothing of trading depends on it."""
    return [
        Caution(f"{line}.", hint=f"{mends}, or unset the variable.", id="execution.W002")
        for line, mends in observability.missing(current())
    ]


@register(CONFIGURATION)
def single_sign_on_is_installed(
    app_configs: Sequence[Any] | None, **kwargs: Any
) -> list[CheckMessage]:
    if not current().oidc_issuer or find_spec(SINGLE_SIGN_ON) is not None:
        return []
    return [
        Error(
            "OIDC_ISSUER is set and the packages of single sign-on are not installed.",
            hint=f"pip install {SINGLE_SIGN_ON}, or unset all that begins with OIDC_.",
            id="execution.E014",
        )
    ]


@register(deploy=True)
def secrets_are_private(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    return open_secrets(ROOT / ".env")


def open_secrets(path: Path) -> list[CheckMessage]:
    if not private_files.open_to_others(path):
        return []
    return [
        Caution(
            f"Others on this machine may read {path}, which holds keys and passwords.",
            hint=f"chmod 600 {path}",
            id="execution.W001",
        )
    ]


@register(Tags.database)
def each_connection_has_a_session(
    app_configs: Sequence[Any] | None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Asked by `migrate`, which every start begins with, and by `check --database default`."""
    if not databases or connection.in_atomic_block:
        return []
    parameters = connection.get_connection_params()
    own = ("cursor_factory", "context", "prepare_threshold")
    known = {name: value for name, value in parameters.items() if name not in own}
    try:
        found = pooling.problem(known, database.LIMITS)
    except psycopg.Error:
        return []  # whoever asks connects next, and says so
    return [Error(found, id="execution.E009")] if found else []
