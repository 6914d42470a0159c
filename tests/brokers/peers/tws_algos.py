"""The algorithms of the TWS peer: which attributes each has, and how their values are written."""

import re

from tests.brokers.peers.tws_wire import Placement

PIECES = 4  # executions in which an algorithm works an order
_SHARE = r"0\.[1-4]\d*|0\.50*"
_SWITCH = "[01]"
_TIME = r"\d{8}-\d\d:\d\d:\d\d"  # with a dash: UTC
_WINDOW = {"startTime": _TIME, "endTime": _TIME}
_LASTING = {**_WINDOW, "allowPastEndTime": _SWITCH}

ALGOS: dict[str, dict[str, str]] = {
    "Adaptive": {"adaptivePriority": "Urgent|Normal|Patient"},
    "Twap": {
        "strategyType": "Marketable|Matching (Midpoint|Same Side|Last)",
        **_LASTING,
    },
    "Vwap": {"maxPctVol": _SHARE, "noTakeLiq": _SWITCH, **_LASTING},
    "ArrivalPx": {
        "maxPctVol": _SHARE,
        "riskAversion": "Get Done|Aggressive|Neutral|Passive",
        "forceCompletion": _SWITCH,
        **_LASTING,
    },
    "PctVol": {"pctVol": _SHARE, "noTakeLiq": _SWITCH, **_WINDOW},
}


def refusal(said: Placement) -> tuple[int, str] | None:
    """What TWS says to an algorithm that it cannot follow."""
    if not said.algo:
        return None
    if said.algo not in ALGOS:
        return 438, f"The algo order definition is not found:{said.algo}"
    wanted, given = ALGOS[said.algo], dict(said.algo_params)
    if said.outside_rth:
        return 441, "Algo is not allowed for this order:outsideRth"
    if len(given) < len(said.algo_params) or given.keys() - wanted.keys():
        return 442, f"Specified algo attribute is unknown:{sorted(given.keys() - wanted.keys())}"
    bad = [tag for tag, form in wanted.items() if not re.fullmatch(form, given.get(tag, ""))]
    if bad or given.get("startTime", "") > given.get("endTime", ""):
        return 440, f"Algo attributes validation failed:{bad or 'endTime'}"
    return None
