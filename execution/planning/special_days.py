"""What special days did, kept with the profile of all symbols; and what is known of a session."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from execution.domain.session import Session
from execution.domain.special_days import DayKind, Effect, Seen, effect, kinds_of
from execution.domain.traded_sessions import TradedDay, adjusted, full_days
from execution.domain.volume_forecast import expected_volume
from execution.domain.volume_profile import FEWEST_SESSIONS, learn
from execution.market.calendar import ExchangeCalendar

FULL_DAY = timedelta(hours=6.5)
DIGITS = 4

# By ISO day: {"kind", "volume", "closing", "symbols"}.
Record = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class SpecialDays:
    """By the exchange's calendar."""

    calendar: ExchangeCalendar

    def kinds(self, session: Session) -> tuple[DayKind, ...]:
        return kinds_of(session.day, self._is_session, half_day=session.length < FULL_DAY)

    def effect_on(self, session: Session, record: Record) -> Effect | None:
        """By the recorded days before the session; None for a session like any other."""
        kinds = self.kinds(session)
        if not kinds:
            return None
        before = session.day.isoformat()
        return effect(kinds, (_seen(row) for day, row in record.items() if day < before))

    def recorded(
        self, tape: Mapping[str, Sequence[TradedDay]], before: Record, *, count: int
    ) -> dict[str, dict[str, Any]]:
        """The record with the special days of the tape, each judged by the sessions of the tape
        before it, at most `count`. A day that was recorded from more symbols stays."""
        found: dict[tuple[date, DayKind], list[Seen]] = defaultdict(list)
        for days in tape.values():
            for day, kind, seen in self._observed(days, count):
                found[day, kind].append(seen)
        record = {day: dict(row) for day, row in before.items()}
        for (day, kind), rows in found.items():
            known = record.get(day.isoformat())
            if known is None or known["symbols"] <= len(rows):
                record[day.isoformat()] = _row(kind, rows)
        return dict(sorted(record.items()))

    def _observed(
        self, days: Iterable[TradedDay], count: int
    ) -> Iterator[tuple[date, DayKind, Seen]]:
        ordered = sorted(days, key=lambda day: day.day)
        for index, day in enumerate(ordered):
            session = self.calendar.session_on(day.day)
            kinds = self.kinds(session) if session else ()
            seen = _judged(day, ordered[:index], count) if kinds else None
            if seen:
                yield day.day, kinds[0], seen

    def _is_session(self, day: date) -> bool:
        return self.calendar.session_on(day) is not None


# A closure that came by surprise made no day special in advance.
PUBLISHED = SpecialDays(ExchangeCalendar(dict))


def _judged(day: TradedDay, before: Sequence[TradedDay], count: int) -> Seen | None:
    """A half-day against full ones: it is expected to trade as much less as it is shorter."""
    full = full_days(before, count=count)
    if len(full) < FEWEST_SESSIONS:
        return None
    past = adjusted([*full, day])[:-1]
    volumes = [each.volumes for each in past]
    part = len(day.volumes) / len(past[-1].volumes)
    return Seen.of(day.volumes, learn(volumes), expected_volume([*map(sum, volumes)]) * part)


def _row(kind: DayKind, symbols: Sequence[Seen]) -> dict[str, Any]:
    mean = Seen.mean(symbols)
    return {
        "kind": str(kind),
        "volume": round(mean.volume, DIGITS),
        "closing": round(mean.closing, DIGITS),
        "symbols": len(symbols),
    }


def _seen(row: Mapping[str, Any]) -> tuple[DayKind, Seen]:
    return DayKind(row["kind"]), Seen(row["volume"], row["closing"])
