"""Commands in this process, and the order that they are about."""

from io import StringIO

import pytest
from django.core.management import call_command

SIGNAL = {
    "symbol": "AAPL",
    "side": "BUY",
    "quantity": 100,
    "decision_price": 150,
    "algorithm": "TWAP",
    "window_minutes": 60,
    "slices": 10,
}
NO_DECISION_PRICE = {"decision_price": None}  # for a name that is quoted elsewhere


def run(*command: object) -> str:
    out = StringIO()
    call_command(*map(str, command), stdout=out)
    return out.getvalue()


def ended(*command: object) -> tuple[object, str]:
    """The exit code of a command that ends with one, and what it printed before."""
    out = StringIO()
    with pytest.raises(SystemExit) as end:
        call_command(*map(str, command), stdout=out)
    return end.value.code, out.getvalue()
