"""What would become of a signal, and what each way of working it is expected to cost."""

from collections.abc import Mapping
from typing import Any, TypedDict

from execution.context import Context
from execution.domain.routing import Thresholds
from execution.entry import drafting
from execution.market import own_impact
from execution.planning.residual import told


class Preview(TypedDict):
    """`status` is ACCEPTED, or DENIED with the reason; `estimate`, `alternatives` and `profile` are
    empty then. Costs in bps, + is a cost; see `execution.domain.algorithm_comparison.Alternative`.
    `residual`: the policy, from when and until when it would be carried out; empty where what is
    left is left. `left_out`: parameters that the algorithm does not know. `waits_for`: what is not
    known yet and holds its children back. `rounded`: prices between two ticks, as `asked` and as
    `sent`. `halted`: since when the exchange has halted the symbol, and why; the order would wait
    for the end of that. `fills`: how far its fills could be believed; empty with a real broker."""

    symbol: str
    side: str
    quantity: int
    status: str
    reason: str
    algorithm: str
    chosen_because: str
    start_at: str
    end_at: str
    slices: int
    estimate: dict[str, Any]
    alternatives: list[dict[str, Any]]
    profile: dict[str, Any]
    residual: dict[str, Any]
    left_out: list[str]
    waits_for: list[str]
    rounded: dict[str, dict[str, str]]
    halted: dict[str, str]
    fills: str


def preview(
    values: Mapping[str, object], desk: Context, *, thresholds: Thresholds | None = None
) -> Preview:
    """The order that the signal would become if it were sent now, by the same code; nothing is
    stored and nothing is sent. Raises InvalidSignal."""
    order = drafting.draft(values, desk, thresholds=thresholds).order
    routing = order.routing
    return {
        "symbol": order.symbol,
        "side": order.side,
        "quantity": order.quantity,
        "status": order.status,
        "reason": order.status_reason,
        "algorithm": order.algorithm,
        "chosen_because": routing.get("reason", ""),
        "start_at": order.start_at.isoformat(),
        "end_at": order.end_at.isoformat(),
        "slices": order.slice_count,
        "estimate": routing.get("estimate", {}),
        "alternatives": routing.get("alternatives", []),
        "profile": routing.get("profile", {}),
        "residual": told(order),
        "left_out": routing.get("left_out", []),
        "waits_for": routing.get("waits_for", []),
        "rounded": routing.get("rounded", {}),
        "halted": routing.get("halted", {}),
        "fills": own_impact.fills_of(desk.config),
    }
