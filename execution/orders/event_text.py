"""The events of an order as a trader reads them, and the facts that each rests on."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from execution.domain.event_kinds import EventKind
from execution.domain.exchange_time import readable
from execution.domain.reading import one_line

# The sentence, and what is added to it where its facts are known. {<=} is the side's limit sign.
SENTENCES: Mapping[str, tuple[str, ...]] = {
    EventKind.ORDER_ACCEPTED: (
        "{side} {quantity} {symbol} accepted, algo {algorithm}, slices: {slices}",
        ", by {by}, via {via}",
    ),
    EventKind.ORDER_DENIED: ("denied by us: {code}", ", asked by {by}, via {via}"),
    EventKind.ORDER_STATUS: ("order {from} -> {to}", ": {reason}"),
    EventKind.ORDER_AMENDED: (
        "amended by {by} to {quantity} until {end_at}, slices: {slices}",
        ": {reason}",
    ),
    EventKind.CANCEL_REQUESTED: ("cancel requested by {by}", ": {reason}"),
    EventKind.TRADING_STATE: ("{scope} set to {state} by {by}", ": {reason}"),
    EventKind.POSITION_BREAK_ACCEPTED: (
        "{by} accepts {theirs} {symbol} at the broker where we had {ours}",
        ": {reason}",
    ),
    EventKind.RESIDUAL_PLANNED: (
        "{policy}: {residual} shares are left, planned anew until {end_at}",
    ),
    EventKind.SHARES_RETURNED: ("{shares} shares return to the plan, until {until}",),
    EventKind.SLICE_STATUS: ("slice {slice}: {from} -> {to}", ": {reason}"),
    EventKind.SLICES_CHANGED: ("slices {slices} -> {to}", ": {reason}"),
    EventKind.SLICE_SENDING: (
        "slice {slice}: {side} {quantity} @ {<=} {limit_price}",
        ", bid {quote.bid} / ask {quote.ask}",
        ", {size}",
    ),
    EventKind.SLICE_RESENDING: ("slice {slice}: never arrived, sent again under the same id",),
    EventKind.SLICE_DEFERRED: ("slice {slice}: not now", ": {reason}"),
    EventKind.FILL: ("slice {slice}: {quantity} executed at {price}",),
    EventKind.LATE_FILL: ("slice {slice}: {quantity} executed at {price}, after its end",),
    EventKind.FILL_CORRECTED: (
        "slice {slice}: the broker corrects an execution to {quantity} at {price}",
    ),
    EventKind.FILL_CONFLICT: (
        "slice {slice}: a known execution came again as {quantity} at {price}",
    ),
    EventKind.COMMISSION: ("slice {slice}: commission {commission}",),
    EventKind.BROKER_REJECTED: ("slice {slice}: refused by the broker, {code}", ": {text}"),
    EventKind.SLICE_REASON: ("slice {slice}: the broker says why it ended: {reason}",),
    EventKind.ORDER_REASON: ("the order ended: {reason}",),
    EventKind.OUTCOME_UNKNOWN: ("slice {slice}: its outcome is still unknown",),
    EventKind.MISSING_AT_BROKER: ("slice {slice}: the broker does not know it any more",),
}
# A correction to zero shares.
TAKEN_BACK = "slice {slice}: the broker takes back an execution at {price}, whole"
COUNTS = frozenset({"quantity", "residual", "shares", "theirs", "ours"})  # of shares
PRICES = frozenset({"limit_price", "price", "quote.bid", "quote.ask", "commission"})
_FIELD = re.compile(r"\{([^}]+)\}")
_CENTS = re.compile(r"-?\d+\.\d\d\d*?(?=0*$)")


def headline(kind: str, data: Mapping[str, Any], side: str) -> str:
    """One event of an order on that side. A kind without a sentence, and an event without the
    facts of its own, is its kind."""
    known = _known(data, side)
    said = "".join(_said(kind, known))
    shown = _FIELD.sub(lambda found: _shown(found[1], known[found[1]]), said)
    return one_line(shown) or kind


def facts(kind: str, data: Mapping[str, Any]) -> dict[str, str]:
    """What the headline leaves out, nested facts under dotted names."""
    used = set(_FIELD.findall("".join(_said(kind, _known(data, "")))))
    return {
        one_line(name): one_line(_words(value)) for name, value in _flat(data) if name not in used
    }


def sentence(kind: str, data: Mapping[str, Any], side: str) -> str:
    """The headline, with every other fact in brackets."""
    rest = ", ".join(f"{name} {value}" for name, value in facts(kind, data).items())
    said = headline(kind, data, side)
    return f"{said} ({rest})" if rest else said


def _known(data: Mapping[str, Any], side: str) -> dict[str, Any]:
    limit = ">=" if side == "SELL" else "<="
    return {"side": side, "<=": limit, **data, **dict(_flat(data))}


def _said(kind: str, known: Mapping[str, Any]) -> Sequence[str]:
    """The parts whose facts are known; none without those of the first."""
    first, *others = SENTENCES.get(kind, ("",))
    if kind == EventKind.FILL_CORRECTED and known.get("quantity") == 0:
        first = TAKEN_BACK
    if not first or not set(_FIELD.findall(first)) <= known.keys():
        return ()
    return (first, *(part for part in others if all(map(known.get, _FIELD.findall(part)))))


def _shown(name: str, value: Any) -> str:
    if name in COUNTS and isinstance(value, int):
        return f"{value:,}"
    if name in PRICES and isinstance(value, str):
        return _price(value)
    return str(value).replace("_", " ").lower() if name == "size" else _words(value)


def _price(text: str) -> str:
    """Without the zeros that end it, but for cents."""
    found = _CENTS.match(text)
    return found[0] if found else text


def _flat(data: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in data.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        elif value not in ("", None, []):
            yield f"{prefix}{key}", value


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
