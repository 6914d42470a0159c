"""What would become of a signal, and what each way of working it is expected to cost."""

from collections.abc import Mapping
from typing import Any, TypedDict

from execution.context import Context
from execution.domain import routing
from execution.domain.costs import Basis
from execution.domain.lifecycle import OrderStatus
from execution.domain.routing import Thresholds
from execution.entry import drafting
from execution.market import own_impact
from execution.models import Order
from execution.planning import residual


class Preview(TypedDict):
    """`status` is ACCEPTED, or DENIED with the reason; `estimate`, `alternatives` and `profile` are
    empty then. Costs in bps, + is a cost; see `execution.domain.algorithm_comparison.Alternative`.
    `residual`: the policy, from when and until when it would be carried out; empty where what is
    left is left. `left_out`: parameters that the algorithm does not know. `waits_for`: what is not
    known yet and holds its children back. `rounded`: prices between two ticks, as `asked` and as
    `sent`. `halted`: since when the exchange has halted the symbol, and why; the order would wait
    for the end of that. `advice`: what else speaks for or against a way to work it. `fills`: how
    far its fills could be believed; empty with a real broker."""

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
    advice: list[str]
    fills: str


def preview(
    values: Mapping[str, object], context: Context, *, thresholds: Thresholds | None = None
) -> Preview:
    """The order that the signal would become if it were sent now, by the same code; nothing is
    stored and nothing is sent. Raises InvalidSignal."""
    order = drafting.draft(values, context, thresholds=thresholds).order
    facts = order.routing
    return {
        "symbol": order.symbol,
        "side": order.side,
        "quantity": order.quantity,
        "status": order.status,
        "reason": order.status_reason,
        "algorithm": order.algorithm,
        "chosen_because": facts.get("reason", ""),
        "start_at": order.start_at.isoformat(),
        "end_at": order.end_at.isoformat(),
        "slices": order.slice_count,
        "estimate": facts.get("estimate", {}),
        "alternatives": facts.get("alternatives", []),
        "profile": facts.get("profile", {}),
        "residual": residual.as_json(order),
        "left_out": facts.get("left_out", []),
        "waits_for": facts.get("waits_for", []),
        "rounded": facts.get("rounded", {}),
        "halted": facts.get("halted", {}),
        "advice": _advice(order, context),
        "fills": own_impact.fills_of(context.config),
    }


def _advice(order: Order, context: Context) -> list[str]:
    """The guide's word on the time of day, what a price that waits means, and why the estimates may
    not tell ways apart."""
    if order.status == OrderStatus.DENIED:
        return []
    session = context.market.session(order.start_at)
    by_time = routing.advice(session, order.start_at) if session else ""
    ways = order.routing.get("alternatives", [])
    unknown = routing.NO_VOLUME if any(w["basis"] == Basis.SPREAD_ONLY for w in ways) else ""
    estimate = order.routing.get("estimate", {})
    waiting = routing.IF_FILLED if estimate.get("basis") == Basis.IF_FILLED else ""
    return [text for text in (by_time, waiting, unknown) if text]
