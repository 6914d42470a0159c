"""What a person must hear of although no rule of an order says it: halts, idle slices, and
events that speak for themselves. Pure, like the rules."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from shlex import quote

from execution.domain.event_kinds import EventKind
from execution.domain.exchange_time import exchange_time
from execution.domain.holds import RECOVERY_MODE
from monitoring.alerting.rules import AlertKind, AlertSeverity, Finding, Thresholds


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
        remedy=_after_halt(scope, key, by),
    )


def approval_wanted(*, number: int, subject: str, by: str, reason: str, until: datetime) -> Finding:
    """One person has asked for what takes two."""
    why = f": {reason}" if reason else ""
    return Finding(
        kind=AlertKind.APPROVAL_WANTED,
        severity=AlertSeverity.WARNING,
        message=f"{by} proposes {subject}{why}. A second person may agree until"
        f" {exchange_time(until)}",
        key=f"APPROVAL_WANTED:{number}",
        data={"subject": subject, "by": by, "reason": reason},
    )


def second_factor_reset(*, number: int, user: str, by: str, reason: str) -> Finding:
    """A password alone enrols a phone for this person now."""
    return Finding(
        kind=AlertKind.SECOND_FACTOR_RESET,
        severity=AlertSeverity.WARNING,
        message=f"the second factor of {user} was reset by {by}: {reason}. Whoever knows the"
        " password enrols the next one",
        key=f"SECOND_FACTOR_RESET:{number}",
        data={"user": user, "by": by, "reason": reason},
    )


def _after_halt(scope: str, key: str, by: str) -> str:
    if by == RECOVERY_MODE:
        return (
            "Compare every account and read what differs (manage.py recovery, docs/restore.md);"
            " then manage.py recovery --release --by NAME --reason WHY."
        )
    where = "" if scope == "SYSTEM" else f" --{scope.lower()} {quote(key)}"
    return f"Remove the cause, then manage.py resume_trading{where} --reason WHY."


def disk_low(
    *, machine: str, folder: str, free: int, share: float, low: float, least: float
) -> Finding | None:
    """Free bytes of a disk, and their share of it: CRITICAL when no new order is taken."""
    if share >= low:
        return None
    full = share < least
    return Finding(
        kind=AlertKind.DISK_LOW,
        severity=AlertSeverity.CRITICAL if full else AlertSeverity.WARNING,
        message=f"{machine}: the disk of {folder} has {free / 2**30:,.1f} GiB free, {share:.1%}"
        + (f"; below {least:.1%} no new order is taken" if full else ""),
        key=f"DISK_LOW:{machine}:{folder}"[:400],
        data={"free_bytes": free, "share": round(share, 4)},
    )


def late_slices(
    *, count: int, oldest_due: datetime | None, now: datetime, limits: Thresholds
) -> Finding | None:
    """Slices are due and nobody has taken them."""
    if oldest_due is None or now - oldest_due <= limits.late:
        return None
    late = now - oldest_due
    severity = AlertSeverity.CRITICAL if late > 2 * limits.late else AlertSeverity.WARNING
    return Finding(
        kind=AlertKind.LATE_SLICES,
        severity=severity,
        message=f"{count:,} slices are due and not taken, the oldest since "
        f"{exchange_time(oldest_due)}",
        key="LATE_SLICES",
        data={"slices": count, "oldest_due": oldest_due.isoformat()},
    )


# Of what differs from the broker; the rest, such as a position, is CRITICAL.
MILD_DIFFERENCES = frozenset({"EXTERNAL_ORDER", "CASH"})
STOPS_SENDING = "stopping"  # a clock that differs by so much
NOT_COMPARED_FOR = timedelta(minutes=10)
HOLDING_FOR = timedelta(seconds=10)  # while orders wait for the comparison


def differs(
    *, number: int, kind: str, subject: str, account: str, symbol: str, words: str
) -> Finding:
    """Something that a comparison with the broker found, once for as long as it is found."""
    external = kind == "EXTERNAL_ORDER"
    mild = kind in MILD_DIFFERENCES or (kind == "CLOCK" and subject != STOPS_SENDING)
    return Finding(
        kind=AlertKind.EXTERNAL_ORDER if external else AlertKind.BROKER_DIFFERENCE,
        severity=AlertSeverity.WARNING if mild else AlertSeverity.CRITICAL,
        message=f"account {account}: {words}",
        key=f"BROKER_DIFFERENCE:{number}",
        account=account,
        data={"kind": kind, "symbol": symbol},
        remedy=_after_break(kind, account, symbol),
    )


def _after_break(kind: str, account: str, symbol: str) -> str:
    """What to type next; empty: what the kind of alert says."""
    if kind == "POSITION":
        return (
            f"Its orders wait: compare again (manage.py reconcile {account}) and see what became"
            " of the shares (docs/restore.md); if the broker is right: manage.py accept_break"
            f" {symbol} --account {account} --by NAME --reason WHY."
        )
    if kind == "CASH":
        return (
            f"Compare again (manage.py reconcile {account}); with --accept --by NAME the broker's"
            " word is taken for positions and cash."
        )
    if kind == "CLOCK":
        return "Set the clock of this machine, for example by NTP, and see why it went wrong."
    if kind == "EXTERNAL_ORDER":
        return (
            "Find out who sent it; nothing of ours touches it. Then trade its symbol on:"
            f" manage.py resume_trading --symbol {symbol} --reason WHY."
        )
    return ""


def not_compared(
    *, broker: str, account: str, since: datetime, problem: str, orders_wait: bool, now: datetime
) -> Finding | None:
    """No comparison with the broker has succeeded for a while; in real time. Soon, and CRITICAL,
    where the account has orders that may send nothing before one has."""
    if now - since <= (HOLDING_FOR if orders_wait else NOT_COMPARED_FOR):
        return None
    held = "; its orders may wait for that" if orders_wait else ""
    return Finding(
        kind=AlertKind.NOT_COMPARED,
        severity=AlertSeverity.CRITICAL if orders_wait else AlertSeverity.WARNING,
        message=f"account {account} cannot be compared with {broker} since"
        f" {exchange_time(since)}: {problem}{held}",
        key=f"NOT_COMPARED:{broker}:{account}:{since.isoformat()}",
        account=account,
        data={"problem": problem},
    )


FAILING_FOR = timedelta(seconds=60)  # one failure may pass by itself


def delivery_failed(
    *, channel: str, since: datetime, refused: bool, failures: int, problem: str, now: datetime
) -> Finding | None:
    """A channel refused a message, or took none for a while; in real time."""
    if not refused and now - since <= FAILING_FOR:
        return None
    how = "refuses messages" if refused else f"has taken no message in {failures:,} tries"
    return Finding(
        kind=AlertKind.DELIVERY_FAILED,
        severity=AlertSeverity.CRITICAL,
        message=f"channel {channel} {how}, since {exchange_time(since)}: {problem}",
        key=f"DELIVERY_FAILED:{channel}",
        data={"channel": channel, "problem": problem},
    )


def broker_down(
    *, broker: str, address: str, since: datetime | None, problem: str, live_orders: bool
) -> Finding:
    """The way to a broker is not open; each loss is an alert of its own. `since`: real time, None
    where it never was open. CRITICAL while orders depend on it."""
    when = exchange_time(since) if since else "the start"
    return Finding(
        kind=AlertKind.BROKER_DOWN,
        severity=AlertSeverity.CRITICAL if live_orders else AlertSeverity.WARNING,
        message=f"{broker} at {address} cannot be reached since {when}: {problem}",
        key=f"BROKER_DOWN:{broker}:{address}:{since.isoformat() if since else ''}"[:400],
        data={"broker": broker, "address": address, "problem": problem},
    )


# Events of an order that raise an alert by themselves, and its text.
EVENT_ALERTS: Mapping[str, tuple[AlertSeverity, str]] = {
    EventKind.FILL_CONFLICT: (
        AlertSeverity.CRITICAL,
        "execution {execution_id} was reported again as {quantity} @ {price}; compare the two",
    ),
    EventKind.FILL_CORRECTED: (
        AlertSeverity.WARNING,
        "the broker corrected execution {execution_id} to {quantity} @ {price}",
    ),
    EventKind.LATE_FILL: (
        AlertSeverity.WARNING,
        "{quantity} @ {price} executed after slice {slice} had ended",
    ),
    EventKind.MISSING_AT_BROKER: (
        AlertSeverity.CRITICAL,
        "the broker does not know slice {slice} any more, which it had acknowledged",
    ),
}
# A correction to zero shares.
TAKEN_BACK = "the broker took back execution {execution_id}, at {price}, whole"


def of_event(
    kind: str, data: Mapping[str, object], *, order_id: int, name: str, account: str
) -> Finding | None:
    """The finding in one event of an order, if its kind is one of EVENT_ALERTS.

    An event about the same execution and revision, or else the same slice, is the same finding.
    """
    if kind not in EVENT_ALERTS:
        return None
    severity, text = EVENT_ALERTS[kind]
    if kind == EventKind.FILL_CORRECTED and data.get("quantity") == 0:
        text = TAKEN_BACK
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
    """An event that lacks a number raises its alert all the same."""

    def __missing__(self, key: str) -> str:
        return "?"
