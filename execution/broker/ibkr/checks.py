"""What must be right before real orders go to Interactive Brokers."""

from importlib.util import find_spec
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.core.checks import CheckMessage, Error

from deepstack.config import Config


def ibkr_problems(config: Config) -> list[CheckMessage]:
    return [*_library(), *_zone(), *_client_id(config), *_lease(config)]


def _library() -> list[CheckMessage]:
    found = [name for name in ("ib_insync", "ib_async") if find_spec(name)]
    if len(found) == 1:
        return []
    return [
        Error(
            f"LIVE_BROKER is ibkr, and of its client libraries {found or 'none'} is installed.",
            hint="Install exactly one of ib_insync and ib_async: two overwrite each other's files.",
            id="execution.E010",
        )
    ]


def _zone() -> list[CheckMessage]:
    try:
        ZoneInfo("US/Eastern")
    except ZoneInfoNotFoundError:
        return [
            Error(
                "The time zone US/Eastern is not known here; the client library would lose every"
                " execution that TWS stamps with it.",
                hint="Install the Python package tzdata.",
                id="execution.E011",
            )
        ]
    return []


def _client_id(config: Config) -> list[CheckMessage]:
    if config.ibkr_client_id:
        return []
    return [
        Error(
            "IBKR_CLIENT_ID is 0, the client that is also given what people do in TWS by hand.",
            hint="Set IBKR_CLIENT_ID to a number of this service's own, such as 17.",
            id="execution.E012",
        )
    ]


def _lease(config: Config) -> list[CheckMessage]:
    longest = config.ibkr.pick_up_seconds + config.ibkr.answer_seconds
    lease = config.execution.scheduling.lease_seconds
    if lease > longest:
        return []
    return [
        Error(
            f"execution.scheduling.lease_seconds = {lease:g}, but a placement may take"
            f" {longest:g} s (ibkr.pick_up_seconds + ibkr.answer_seconds).",
            hint="Raise the lease or shorten the other two.",
            id="execution.E013",
        )
    ]
