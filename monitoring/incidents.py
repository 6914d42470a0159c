"""What a person must hear of although no rule of an order says it: halts, idle slices, and
events that speak for themselves. Pure, like the rules."""

from collections.abc import Mapping
from datetime import datetime

from monitoring.rules import AlertKind, AlertSeverity, Finding, Thresholds


def halted(
    *, scope: str, key: str, state: str, reason: str, by: str, since: datetime
) -> Finding | None:
    """A trading state other than ACTIVE: CRITICAL when a system or an account is halted."""
    if state == "ACTIVE":
        return None
    wide = state == "HALTED" and scope in ("SYSTEM", "ACCOUNT")
    where = f"{scope.lower()} {key}".strip()
    return Finding(
        kind=AlertKind.TRADING_HALTED,
        severity=AlertSeverity.CRITICAL if wide else AlertSeverity.WARNING,
        message=f"{where} is {state}, by {by}: {reason}",
        key=f"TRADING_HALTED:{scope}:{key}:{state}:{since.isoformat()}",
        account=key if scope == "ACCOUNT" else "",
        data={"scope": scope, "key": key, "state": state, "reason": reason, "by": by},
    )


def late_slices(
    *, count: int, oldest_due: datetime | None, now: datetime, limits: Thresholds
) -> Finding | None:
    """Slices are due and nobody has taken them; said again every hour while it lasts."""
    if oldest_due is None or now - oldest_due <= limits.late:
        return None
    late = now - oldest_due
    severity = AlertSeverity.CRITICAL if late > 2 * limits.late else AlertSeverity.WARNING
    return Finding(
        kind=AlertKind.LATE_SLICES,
        severity=severity,
        message=f"{count:,} slices are due and not taken, the oldest since "
        f"{oldest_due:%H:%M:%S} UTC; check that the dispatch loop and the workers run",
        key=f"LATE_SLICES:{now:%Y-%m-%dT%H}:{severity}",
        data={"slices": count, "oldest_due": oldest_due.isoformat()},
    )


# Events of an order that a person should hear of, with what the event's data tell.
TOLD: Mapping[str, tuple[AlertSeverity, str]] = {
    AlertKind.FILL_CONFLICT: (
        AlertSeverity.CRITICAL,
        "execution {execution_id} was reported again as {quantity} @ {price}; compare the two",
    ),
    AlertKind.FILL_CORRECTED: (
        AlertSeverity.WARNING,
        "the broker corrected execution {execution_id} to {quantity} @ {price}",
    ),
    AlertKind.LATE_FILL: (
        AlertSeverity.WARNING,
        "{quantity} @ {price} executed after slice {slice} had ended",
    ),
    AlertKind.LOST_AT_BROKER: (
        AlertSeverity.CRITICAL,
        "the broker does not know slice {slice} any more, which it had acknowledged",
    ),
}


def told(
    kind: str, data: Mapping[str, object], *, order_id: int, name: str, account: str
) -> Finding | None:
    """The finding in one event of an order, if its kind is one of TOLD.

    An event about the same execution and revision, or else the same slice, is the same finding.
    """
    if kind not in TOLD:
        return None
    severity, text = TOLD[kind]
    what = ":".join(str(data[key]) for key in ("execution_id", "revision") if key in data)
    return Finding(
        kind=AlertKind(kind),
        severity=severity,
        message=f"{name}: {text.format_map(_Lenient(data))}",
        key=f"{kind}:order:{order_id}:{what or data.get('slice')}",
        account=account,
        order_id=order_id,
        data=dict(data),
    )


class _Lenient(dict[str, object]):
    """An event that lacks a number is told all the same."""

    def __missing__(self, key: str) -> str:
        return "?"
