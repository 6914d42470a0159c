"""Who types a command. In paper trading a name is taken as it is given; in live trading whoever
lets something trade, an order included, or changes what orders are routed by, shows an API token of
theirs, in the environment, where no process list shows it, and is bound by their desks. What stops
trading asks nobody."""

import getpass
import os
from typing import Any

from rest_framework.exceptions import AuthenticationFailed

from execution.access.tokens import ProvenToken

VARIABLE = "DEEPSTACK_TOKEN"


class NotShown(Exception):
    """Nothing was changed; the text says what to set."""


def person(given: str | None, permission: str) -> Any:
    """The user whose token is shown. Raises NotShown without one, or when the user has not the
    permission; a name that is `given` may only repeat theirs."""
    key = os.environ.get(VARIABLE, "")
    if not key:
        raise NotShown(
            f"live trading: set {VARIABLE} to your own API token (POST name and password to"
            " /api/v1/token/); a name alone is taken in paper trading only"
        )
    try:
        user, _ = ProvenToken().authenticate_credentials(key)
    except AuthenticationFailed as error:
        raise NotShown(f"{VARIABLE}: {error.detail}") from None
    name: str = user.get_username()
    if not user.has_perm(permission):
        raise NotShown(f"{name} has not the permission {permission}, which a role gives")
    if given is not None and given not in (name, getpass.getuser()):
        raise NotShown(f"--by {given}: the token in {VARIABLE} is {name}'s")
    return user
