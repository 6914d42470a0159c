"""The events of an order in words, with every number that was written down."""

from collections.abc import Iterator, Mapping
from string import Formatter
from typing import Any

from execution.domain.event_kinds import EventKind
from execution.domain.exchange_time import readable

SENTENCES: Mapping[str, str] = {
    EventKind.ORDER_ACCEPTED: (
        "{side} {quantity} {symbol} accepted, algo {algorithm}, slices: {slices}"
    ),
    EventKind.ORDER_DENIED: "denied by us: {code}",
    EventKind.ORDER_STATUS: "order {from} -> {to}",
    EventKind.ORDER_AMENDED: "amended by {by} to {quantity} until {end_at}, slices: {slices}",
    EventKind.CANCEL_REQUESTED: "cancel requested by {by}",
    EventKind.TRADING_STATE: "{scope} set to {state} by {by}",
    EventKind.POSITION_BREAK_ACCEPTED: (
        "{by} accepts {theirs} {symbol} at the broker where we had {ours}"
    ),
    EventKind.RESIDUAL_PLANNED: "{policy}: {residual} shares are left, planned anew until {end_at}",
    EventKind.SHARES_RETURNED: "{shares} shares return to the plan, until {until}",
    EventKind.SLICE_STATUS: "slice {slice}: {from} -> {to}",
    EventKind.SLICES_CHANGED: "slices {slices} -> {to}",
    EventKind.SLICE_SENDING: (
        "slice {slice}: {quantity} at {limit_price} to the broker, {client_order_id}"
    ),
    EventKind.SLICE_RESENDING: "slice {slice}: never arrived, sent again under the same id",
    EventKind.SLICE_DEFERRED: "slice {slice}: not now",
    EventKind.FILL: "slice {slice}: {quantity} executed at {price}",
    EventKind.LATE_FILL: "slice {slice}: {quantity} executed at {price}, after its end",
    EventKind.FILL_CORRECTED: (
        "slice {slice}: the broker corrects an execution to {quantity} at {price}"
    ),
    EventKind.FILL_CONFLICT: "slice {slice}: a known execution came again as {quantity} at {price}",
    EventKind.COMMISSION: "slice {slice}: commission {commission}",
    EventKind.BROKER_REJECTED: "slice {slice}: refused by the broker, {code}",
    EventKind.SLICE_REASON: "slice {slice}: the broker says why it ended: {reason}",
    EventKind.ORDER_REASON: "the order ended: {reason}",
    EventKind.OUTCOME_UNKNOWN: "slice {slice}: its outcome is still unknown",
    EventKind.MISSING_AT_BROKER: "slice {slice}: the broker does not know it any more",
}


def sentence(kind: str, data: Mapping[str, Any]) -> str:
    """One event. What the sentence does not use follows in brackets; an unknown kind is all
    brackets."""
    template = SENTENCES.get(kind, kind)
    used = {name for _, name, _, _ in Formatter().parse(template) if name}
    if not used <= data.keys():
        template, used = kind, set()
    rest = ", ".join(_flat({key: value for key, value in data.items() if key not in used}))
    said = template.format_map({key: _words(value) for key, value in data.items()})
    return f"{said} ({rest})" if rest else said


def _flat(data: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in data.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        elif value not in ("", None, []):
            yield f"{prefix}{key} {_words(value)}"


def _words(value: Any) -> str:
    """Runs of numbers are shortened: an order may have thousands of slices. Moments are shown in
    exchange time."""
    if not isinstance(value, list):
        return str(readable(value))
    if not all(isinstance(each, int) for each in value):
        return " ".join(map(str, value))
    runs: list[list[int]] = []
    for number in value:
        if runs and number == runs[-1][-1] + 1:
            runs[-1][1:] = [number]
        else:
            runs.append([number])
    return " ".join("-".join(map(str, run)) for run in runs)
