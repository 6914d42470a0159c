"""What the back office's pages show of trading as a whole."""

from collections.abc import Sequence
from typing import Any

from django.http import HttpRequest

from execution.access import desks
from execution.models import TradingState
from execution.risk import kill_switch
from monitoring.clocks import Moment
from monitoring.operations import snapshot

SEES = "execution.view_order"


def on_every_page(request: HttpRequest) -> dict[str, Any]:
    """The banner: which trading states other than ACTIVE are in force."""
    if not request.user.is_staff:
        return {}
    return {"states_in_force": _in_force(request), "may_halt": may_halt(request)}


def start_page(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    return context | live(request, context["states_in_force"])


def live(request: HttpRequest, states: Sequence[TradingState] | None = None) -> dict[str, Any]:
    """What the part of the page is made of that refreshes itself."""
    if not request.user.has_perm(SEES):
        return {"may_see": False}
    known = _in_force(request) if states is None else states
    return {
        "may_see": True,
        "may_halt": may_halt(request),
        "states_in_force": known,
        "now": snapshot.take(Moment.read(), known, desks.accounts_of(request.user)),
    }


def _in_force(request: HttpRequest) -> Sequence[TradingState]:
    """Those that hold something the person sees."""
    own = desks.accounts_of(request.user)
    return [
        row
        for row in kill_switch.all_in_force()
        if own is None or row.scope != TradingState.Scope.ACCOUNT or row.key in own
    ]


def may_halt(request: HttpRequest) -> bool:
    """All of it."""
    everything = {"scope": TradingState.Scope.SYSTEM, "key": "", "state": "HALTED"}
    return desks.may_set_state(request.user, **everything)
