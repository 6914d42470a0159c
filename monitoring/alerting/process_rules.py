"""What the service's own processes say of themselves that a person must hear. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from execution.domain.exchange_time import exchange_time
from monitoring.alerting.alert_kinds import AlertKind
from monitoring.alerting.rules import AlertSeverity, Finding

# What is over sooner than this, such as the restart of a Redis, wakes nobody.
LASTING_SECONDS = 2.0
# Slices leave early or late by as much as the clock of their worker is wrong.
VERY_WRONG_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Sign:
    """The last sign of life of one process. `trouble` keeps it from its work since
    `trouble_seconds`; its clock is `ahead` so many seconds of the database's, or behind it."""

    kind: str
    process: str
    trouble: str = ""
    trouble_seconds: float = 0.0
    ahead: float = 0.0

    @classmethod
    def read(cls, kind: str, process: str, detail: Mapping[str, object]) -> Self:
        def number(name: str) -> float:
            value = detail.get(name)
            return float(value) if isinstance(value, int | float) else 0.0

        return cls(
            kind=kind,
            process=process,
            trouble=str(detail.get("trouble") or ""),
            trouble_seconds=number("trouble_seconds"),
            ahead=number("clock_ahead_seconds"),
        )

    @property
    def name(self) -> str:
        return f"{self.kind.lower()} {self.process}"


def judge(signs: Sequence[Sign]) -> list[Finding]:
    return [*_troubles(signs), *_clocks(signs)]


def _troubles(signs: Iterable[Sign]) -> list[Finding]:
    """One for each trouble, whoever has it."""
    who: dict[str, list[str]] = {}
    for sign in signs:
        if sign.trouble and sign.trouble_seconds >= LASTING_SECONDS:
            who.setdefault(sign.trouble, []).append(sign.name)
    return [
        Finding(
            kind=AlertKind.PROCESS_TROUBLE,
            severity=AlertSeverity.CRITICAL,
            message=f"{trouble}: {', '.join(names)} cannot work",
            key=f"PROCESS_TROUBLE:{trouble[:200]}",
            data={"trouble": trouble, "processes": names},
        )
        for trouble, names in who.items()
    ]


def _clocks(signs: Iterable[Sign]) -> list[Finding]:
    return [
        Finding(
            kind=AlertKind.WRONG_CLOCK,
            severity=_of_clock(sign.ahead),
            message=f"the clock of {sign.name} is {abs(sign.ahead):.1f} s "
            f"{'ahead of' if sign.ahead > 0 else 'behind'} the database's: "
            "what it times comes as much too early or late",
            key=f"WRONG_CLOCK:{sign.process}",
            data={"process": sign.process, "kind": sign.kind, "ahead_seconds": sign.ahead},
        )
        for sign in signs
        if sign.ahead
    ]


def _of_clock(ahead: float) -> AlertSeverity:
    very = abs(ahead) >= VERY_WRONG_SECONDS
    return AlertSeverity.CRITICAL if very else AlertSeverity.WARNING


def database_away(*, why: str, since: datetime, until: datetime | None) -> Finding:
    """PostgreSQL takes no write since, or took none until; in real time."""
    lasted = (
        f"takes no write since {exchange_time(since)}"
        if until is None
        else f"took no write from {exchange_time(since)} to {exchange_time(until)}"
    )
    return Finding(
        kind=AlertKind.DATABASE_AWAY,
        severity=AlertSeverity.CRITICAL,
        message=f"PostgreSQL {lasted} ({why}); nothing is sent or booked meanwhile",
        key=f"DATABASE_AWAY:{since.isoformat()}",
        data={"since": since.isoformat(), "until": until and until.isoformat(), "why": why},
    )
