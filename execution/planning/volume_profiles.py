"""Volume profiles: learned from sessions that are over, remembered, found for an order's day."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from functools import lru_cache
from statistics import fmean
from typing import Any

import structlog

from deepstack.config import Config
from execution.domain.exchange_time import day_begins, exchange_day
from execution.domain.session import Session
from execution.domain.special_days import Effect, reshaped
from execution.domain.traded_sessions import (
    MINUTE,
    Minute,
    TradedDay,
    adjusted,
    daily_volatility,
    full_days,
    traded_day,
)
from execution.domain.volume_forecast import Constants, expected_volume
from execution.domain.volume_profile import FEWEST_SESSIONS, U_SHAPE, Profile, learn, pooled
from execution.domain.vwap_tracking import Deviations, learn_deviations
from execution.market.bar_files import BarRow
from execution.market.base import typical
from execution.market.calendar import ExchangeCalendar
from execution.models import Bar, VolumeProfile
from execution.planning.special_days import PUBLISHED, Record

log = structlog.get_logger(__name__)

SESSIONS = 20
MOST_SESSIONS = 250
ALL = ""  # the symbol of the profile of all together
BARS = "bars"
DIGITS = 10
ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Known:
    """A profile to plan by, and what else its tape says. `origin` is "symbol", "pooled" or, when
    nothing was learned in time, "default"; volumes in shares of a full session; `deviations` as
    `domain.vwap_tracking` learns them. `special`: what the kind of its day has already changed."""

    profile: Profile
    origin: str
    row: int | None = None
    sessions: tuple[str, ...] = ()
    mean_volume: float | None = None
    expected_volume: float | None = None
    daily_volatility: float | None = None
    deviations: Mapping[str, Deviations] = field(default_factory=dict, hash=False)
    special: Effect | None = None
    minutes: int = 390  # of the sessions learned from

    def part_of_day(self, session: Session) -> float:
        """A half-day is expected to trade about as much less as it is shorter."""
        if self.row is None or session.always:
            return 1.0
        return session.length / (MINUTE * self.minutes)

    def volumes_of(
        self, session: Session, otherwise: float | None
    ) -> tuple[float | None, float | None]:
        """Shares that such a session usually trades (`otherwise` a full one, where nothing was
        learned), and that this one is expected to."""
        part, usual = self.part_of_day(session), self.mean_volume or otherwise
        if usual and self.special:
            usual *= self.special.volume
        expected = self.expected_volume
        return usual * part if usual else None, expected * part if expected else None

    def as_json(self) -> dict[str, object]:
        """For the record of an order."""
        return {
            "origin": self.origin,
            "id": self.row,
            "sessions": list(self.sessions),
            "expected_volume": self.expected_volume,
            **({"special_day": self.special.as_json()} if self.special else {}),
        }

    def on(self, special: Effect | None, session: Session) -> "Known":
        """On a special day: more or less of it trades in the closing minutes, and in all."""
        if special is None or self.row is None:
            return self
        expected = self.expected_volume and self.expected_volume * special.volume
        profile = reshaped(self.profile, special.closing, session.length // MINUTE)
        return replace(self, profile=profile, expected_volume=expected, special=special)


def forecast_constants(config: Config) -> Constants:
    return Constants(**config.execution.vwap.forecast.model_dump())


DEFAULT = Known(U_SHAPE, "default")


def profile_for(symbol: str, *, before: date) -> Known:
    """The latest profile that knows nothing of `before` or later: the symbol's own, else that of
    all symbols together, else the guide's U-shape."""
    rows = VolumeProfile.objects.filter(symbol__in=[symbol, ALL], until__lt=before)
    row = rows.order_by("-symbol", "-until", "-id").first()
    return _known(row) if row else DEFAULT


def of_session(symbol: str, session: Session) -> Known:
    """As `profile_for`; a market that never closes has no sessions that could be learned from."""
    if session.always:
        return DEFAULT
    known = profile_for(symbol, before=session.day)
    if known.row is None or not PUBLISHED.kinds(session):
        return known
    return known.on(PUBLISHED.effect_on(session, _record(before=session.day)), session)


def of_order(noted: Mapping[str, Any], session: Session) -> Known | None:
    """What an order's plan was made from, by what was noted with it; None where nothing was
    learned. Raises VolumeProfile.DoesNotExist."""
    if noted.get("id") is None:
        return None
    special = noted.get("special_day")
    return _noted(noted["id"], Effect.from_json(special) if special else None, session)


@lru_cache(maxsize=512)
def _noted(row_id: int, special: Effect | None, session: Session) -> Known:
    return stored(row_id).on(special, session)


def _record(*, before: date) -> Record:
    """What special days did that were over by then."""
    rows = VolumeProfile.objects.filter(symbol=ALL, until__lt=before)
    record: Record | None = (
        rows.order_by("-until", "-id").values_list("special_days", flat=True).first()
    )
    return record or {}


@lru_cache(maxsize=512)
def stored(row_id: int) -> Known:
    """A profile by its row, which never changes. Raises VolumeProfile.DoesNotExist."""
    return _known(VolumeProfile.objects.get(pk=row_id))


def _known(row: VolumeProfile) -> Known:
    return Known(
        profile=Profile.even(row.shares),
        origin="symbol" if row.symbol else "pooled",
        row=row.pk,
        sessions=tuple(row.sessions),
        mean_volume=row.mean_volume,
        expected_volume=row.expected_volume,
        daily_volatility=row.daily_volatility,
        deviations=row.deviations,
        minutes=len(row.shares),
    )


def learn_from_bars(
    symbols: Iterable[str] = (),
    *,
    now: datetime,
    until: date | None = None,
    sessions: int = SESSIONS,
) -> list[VolumeProfile]:
    """Learn from the stored bars, up to the session `until` and never from one that is not over by
    `now`; what was learned and is new.

    Without `symbols` all are learned, and their common profile with them; named ones are drawn to
    the common profile that is stored. Symbols with fewer than five full sessions are left out.
    """
    tape = tape_of_bars(symbols, now=now, until=until, sessions=sessions)
    return _learn(tape, source=BARS, pool=not symbols, until=until, count=sessions)


def tape_of_bars(
    symbols: Iterable[str], *, now: datetime, until: date | None, sessions: int
) -> dict[str, list[TradedDay]]:
    """The last sessions of the stored bars, of all symbols where none is named."""
    names = list(symbols) or list(_symbols())
    return {name: _days_from_bars(name, now=now, until=until, count=sessions) for name in names}


def learn_from_rows(
    rows: Iterable[BarRow],
    *,
    source: str,
    now: datetime,
    until: date | None = None,
    sessions: int = SESSIONS,
    pool: bool = True,
) -> list[VolumeProfile]:
    """As `learn_from_bars`, from the bars of a file."""
    tape = tape_of_rows(rows, now=now, until=until)
    return _learn(tape, source=source, pool=pool, until=until, count=sessions)


def tape_of_rows(
    rows: Iterable[BarRow], *, now: datetime, until: date | None = None
) -> dict[str, list[TradedDay]]:
    """Of each symbol the sessions that were over by `now`."""
    minutes: dict[str, dict[date, list[Minute]]]
    minutes = defaultdict(lambda: defaultdict(list))
    for row in rows:
        day = exchange_day(row.start)
        if until is None or day <= until:
            average = row.vwap or typical(row.high, row.low, row.close)
            minute = Minute(row.start, row.volume, float(row.close), float(average))
            minutes[row.symbol][day].append(minute)
    calendar = ExchangeCalendar()
    return {symbol: _days(days, calendar, now=now) for symbol, days in minutes.items()}


def catch_up(*, now: datetime) -> list[VolumeProfile]:
    """Learn when a session of any symbol has ended that the last learning had not seen."""
    last = _stored_common(None)
    calendar = ExchangeCalendar()
    for symbol in _symbols():
        newest = _newest_session(symbol, calendar, now=now, until=None)
        if newest and (last is None or newest.day > last.until):
            return learn_from_bars(now=now)
    return []


def _learn(
    tape: Mapping[str, Sequence[TradedDay]],
    *,
    source: str,
    pool: bool,
    until: date | None,
    count: int,
) -> list[VolumeProfile]:
    full = {symbol: _in_todays_shares(symbol, days, count) for symbol, days in tape.items()}
    usable = {symbol: days for symbol, days in full.items() if len(days) >= FEWEST_SESSIONS}
    if not usable:
        return []
    # A half-day teaches nothing, and yet it has been seen.
    seen = max(day.day for days in tape.values() for day in days)
    common = _common(usable, source, seen) if pool else _stored_common(until)
    if pool and common is not None:
        before = _stored_common(seen)
        record = before.special_days if before else {}
        common.special_days = PUBLISHED.recorded(tape, record, count=count)
    rows = [_row(symbol, days, common, source) for symbol, days in sorted(usable.items())]
    if pool and common is not None:
        rows.append(common)
    return VolumeProfile.objects.bulk_create([row for row in rows if _is_new(row)])


def _in_todays_shares(symbol: str, days: Sequence[TradedDay], count: int) -> list[TradedDay]:
    full = full_days(days, count=count)
    made = adjusted(full)
    if made != full:
        changed = [old.day for old, new in zip(full, made, strict=True) if old is not new]
        log.warning(
            "a jump of the price, taken for a split: days before it were adjusted",
            symbol=symbol,
            adjusted=len(changed),
            until=max(changed).isoformat(),
        )
    return made


def _common(
    usable: Mapping[str, Sequence[TradedDay]], source: str, seen: date
) -> VolumeProfile | None:
    """The mean over the symbols; None when their sessions are not of one length."""
    if len({len(days[0].volumes) for days in usable.values()}) > 1:
        return None
    everyone = pooled(learn([day.volumes for day in days]) for days in usable.values())
    learned_from = sorted({day.day for days in usable.values() for day in days})
    return VolumeProfile(
        symbol=ALL,
        until=seen,
        sessions=[day.isoformat() for day in learned_from],
        shares=_rounded(everyone),
        source=source,
    )


def _stored_common(until: date | None) -> VolumeProfile | None:
    rows = VolumeProfile.objects.filter(symbol=ALL)
    if until is not None:
        rows = rows.filter(until__lte=until)
    return rows.order_by("-until", "-id").first()


def _row(
    symbol: str, days: Sequence[TradedDay], common: VolumeProfile | None, source: str
) -> VolumeProfile:
    totals = [sum(day.volumes) for day in days]
    prior = Profile.even(common.shares) if common else None
    last = days[-1].day
    return VolumeProfile(
        symbol=symbol,
        # What is drawn to the profile of all knows what that one knows.
        until=max(last, common.until) if common else last,
        sessions=[day.day.isoformat() for day in days],
        shares=_rounded(learn([day.volumes for day in days], prior=prior)),
        mean_volume=fmean(totals),
        expected_volume=expected_volume(totals),
        daily_volatility=daily_volatility(days),
        deviations=learn_deviations(days),
        source=source,
    )


def _rounded(profile: Profile) -> list[float]:
    return [round(share, DIGITS) for share in profile.shares]


def _is_new(row: VolumeProfile) -> bool:
    last = VolumeProfile.objects.filter(symbol=row.symbol, until=row.until).order_by("-id").first()
    return last is None or _learned(last) != _learned(row)


def _learned(row: VolumeProfile) -> tuple[object, ...]:
    return row.sessions, row.shares, row.deviations, row.special_days


def _symbols() -> Iterator[str]:
    """One index probe each: the table may hold a hundred thousand bars of every symbol."""
    rows = Bar.objects.order_by("symbol").values_list("symbol", flat=True)
    name = rows.first()
    while name is not None:
        yield name
        name = rows.filter(symbol__gt=name).first()


def _days_from_bars(
    symbol: str, *, now: datetime, until: date | None, count: int
) -> list[TradedDay]:
    calendar = ExchangeCalendar()
    newest = _newest_session(symbol, calendar, now=now, until=until)
    if newest is None:
        return []
    # Twice as many weekdays as sessions: room for half-days, holidays and days without a trade.
    first = newest.open - ONE_DAY * (count * 14 // 5 + 7)
    rows = Bar.objects.filter(symbol=symbol, start_at__gte=first, start_at__lt=newest.close)
    minutes: dict[date, list[Minute]] = defaultdict(list)
    columns = "start_at", "volume", "close", "high", "low", "vwap"
    for start, volume, close, high, low, vwap in rows.values_list(*columns).iterator():
        minute = Minute(start, volume, float(close), float(vwap or typical(high, low, close)))
        minutes[exchange_day(start)].append(minute)
    return _days(minutes, calendar, now=now)


def _newest_session(
    symbol: str, calendar: ExchangeCalendar, *, now: datetime, until: date | None
) -> Session | None:
    """The symbol's last session that was over by `now`, not after `until`."""
    end = min(now, day_begins(until + ONE_DAY)) if until else now
    rows = (
        Bar.objects.filter(symbol=symbol).order_by("-start_at").values_list("start_at", flat=True)
    )
    while (last := rows.filter(start_at__lt=end).first()) is not None:
        day = exchange_day(last)
        session = calendar.session_on(day)
        if session is not None and session.close <= now and last >= session.open:
            return session
        end = day_begins(day)
    return None


def _days(
    minutes: Mapping[date, Iterable[Minute]],
    calendar: ExchangeCalendar,
    *,
    now: datetime,
) -> list[TradedDay]:
    """The days whose session was over by `now`."""
    days = []
    for day, bars in minutes.items():
        session = calendar.session_on(day)
        if session is not None and session.close <= now:
            traded = traded_day(session, bars)
            if traded is not None:
                days.append(traded)
    return days
