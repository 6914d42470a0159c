"""What commands ask for before they do anything: a configuration that is right, unless they stop
something or save data; in live trading a person's token, where they let something trade, take the
broker's word or a second factor away."""

import pytest
from django.core.management import BaseCommand, get_commands, load_command_class

from execution.checks import CONFIGURATION
from execution.management.console import OperatorCommand

ALWAYS = {
    "accept_break",
    "amend",
    "calibrate_slippage",
    "order",
    "reset_second_factor",
    "resume",
    "resume_trading",
}
STOPPING = {"cancel", "halt", "pause"}


WHATEVER_IS_CONFIGURED = STOPPING | {"archive", "backup", "restore", "resume"}


def commands() -> dict[str, BaseCommand]:
    own = [
        (name, app) for name, app in get_commands().items() if app in ("execution", "monitoring")
    ]
    return {name: load_command_class(app, name) for name, app in own}


@pytest.mark.parametrize(
    ("given", "asking"),
    [(False, ALWAYS), (True, ALWAYS | {"reconcile", "recovery"})],
    ids=["looking", "--accept and --release"],
)
def test_who_asks_for_a_person(given: bool, asking: set[str]) -> None:
    found = {n: each for n, each in commands().items() if isinstance(each, OperatorCommand)}
    assert found.keys() >= asking | STOPPING
    options = {"accept": given, "release": given}
    assert {name for name, each in found.items() if each.asks_for_a_person(options)} == asking


def test_who_goes_on_however_wrong_the_configuration_is() -> None:
    for name, command in commands().items():
        asked = command.requires_system_checks
        if name in WHATEVER_IS_CONFIGURED:
            assert not asked, name
        else:
            assert asked == "__all__" or CONFIGURATION in asked, name
