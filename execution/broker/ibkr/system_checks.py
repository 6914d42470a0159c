"""What must be right before real orders go to Interactive Brokers."""

from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.core.checks import CheckMessage, Error

from deepstack.config import Config

LIBRARIES = ("ib_insync", "ib_async")


def ibkr_problems(config: Config) -> list[CheckMessage]:
    return [*library_problems(config), *_zone(), *_client_id(config), *_lease(config)]


def library_problems(config: Config) -> list[CheckMessage]:
    found = {name: spec for name in LIBRARIES if (spec := find_spec(name))}
    wanted = config.ibkr.library
    problem, hint = "", f"Install exactly one of {' and '.join(LIBRARIES)}."
    if wanted and wanted not in found:
        problem, hint = f"ibkr.library = {wanted}, which is not installed.", f"Install {wanted}."
    elif not found:
        problem = "LIVE_BROKER is ibkr, and none of its client libraries is installed."
    elif len({_folder(spec) for spec in found.values()}) < len(found):
        problem = "Both client libraries are installed: they overwrite each other's files."
    elif len(found) > 1 and not wanted:
        problem, hint = "Both client libraries are installed.", "Set IBKR__LIBRARY to one of them."
    return [Error(problem, hint=hint, id="execution.E010")] if problem else []


def _folder(spec: ModuleSpec) -> Path:
    return Path(str(spec.origin)).parent.parent


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
