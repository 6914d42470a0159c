"""The events of an order in words, with every number that was written down."""

from collections.abc import Iterator, Mapping
from string import Formatter
from typing import Any

from execution.domain.exchange_time import readable

SENTENCES = {
    "ORDER_ACCEPTED": "{side} {quantity} {symbol} accepted as {algorithm}, slices: {slices}",
    "ORDER_DENIED": "denied by us: {code}",
    "ORDER_STATUS": "order {from} -> {to}",
    "CANCEL_REQUESTED": "cancel requested by {by}",
    "TRADING_STATE": "{scope} set to {state} by {by}",
    "POSITION_BREAK_ACCEPTED": "{by} accepts {theirs} {symbol} at the broker where we had {ours}",
    "RESIDUAL_PLANNED": "{policy}: {residual} shares are left, planned anew until {end_at}",
    "SHARES_RETURNED": "{shares} shares return to the plan, until {until}",
    "SLICE_STATUS": "slice {slice}: {from} -> {to}",
    "SLICES_STATUS": "slices {slices} -> {to}",
    "SLICE_SENDING": "slice {slice}: {quantity} at {limit_price} to the broker, {client_order_id}",
    "SLICE_SENDING_AGAIN": "slice {slice}: never arrived, sent again under the same id",
    "SLICE_DEFERRED": "slice {slice}: not now",
    "FILL": "slice {slice}: {quantity} executed at {price}",
    "LATE_FILL": "slice {slice}: {quantity} executed at {price}, after its end",
    "FILL_CORRECTED": "slice {slice}: the broker corrects an execution to {quantity} at {price}",
    "FILL_CONFLICT": "slice {slice}: a known execution came again as {quantity} at {price}",
    "COMMISSION": "slice {slice}: commission {commission}",
    "BROKER_REJECTED": "slice {slice}: refused by the broker, {code}",
    "SLICE_REASON": "slice {slice}: the broker says why it ended: {reason}",
    "ORDER_REASON": "the order ended: {reason}",
    "UNKNOWN_LASTS": "slice {slice}: its outcome stays unknown",
    "LOST_AT_BROKER": "slice {slice}: the broker does not know it any more",
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
