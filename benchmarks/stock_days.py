"""Real sessions, one symbol each, with what could be known of them on the evening before."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from statistics import fmean

from benchmarks.bars import REGULAR_MINUTES, Day
from execution.domain.session import Session
from execution.domain.special_days import Effect, reshaped
from execution.domain.traded_sessions import TradedDay, daily_volatility
from execution.domain.volume_forecast import expected_volume
from execution.domain.volume_profile import Profile, learn, pooled
from execution.planning.special_days import PUBLISHED

TEST_FROM = date(2024, 3, 28)
HALF_DAYS = frozenset({date(2024, 7, 3)})
LEARN_FROM = 20  # sessions
QUANTITY = 10_000_000  # so large that whole shares do not show

History = Mapping[str, Mapping[date, Day]]


@dataclass(frozen=True, slots=True)
class Case:
    """One stock-day, and what could be known of it on the evening before."""

    day: Day
    session: Session
    own: Profile
    drawn: Profile  # towards the pooled profile of all symbols
    mean_volume: float
    expected: float
    symbol: str = ""

    def on(self, special: Effect | None) -> "Case":
        """On a special day, as the service expects it."""
        if special is None:
            return self
        return replace(
            self,
            drawn=reshaped(self.drawn, special.closing, REGULAR_MINUTES),
            mean_volume=self.mean_volume * special.volume,
            expected=self.expected * special.volume,
        )


def cases(
    history: History,
    *,
    tuning: bool,
    test_from: date = TEST_FROM,
    fewest: int = LEARN_FROM,
    special: bool = True,
) -> Iterator[Case]:
    """Every stock-day of the test, or of the sessions before it, that has `fewest` sessions before
    it; at most the last 20 of these are learned from. `special`: whether the kind of a day counts,
    by the days of its kind before it."""
    tape = {symbol: [*map(traded, sessions.values())] for symbol, sessions in history.items()}
    record = PUBLISHED.recorded(tape, {}, count=LEARN_FROM)
    for today in sorted({day for sessions in history.values() for day in sessions}):
        if (today < test_from) != tuning:
            continue
        past = {symbol: _past(sessions, today) for symbol, sessions in history.items()}
        profiles = {
            symbol: learn([day.volumes for day in sessions])
            for symbol, sessions in past.items()
            if len(sessions) >= fewest
        }
        for symbol, own in profiles.items():
            if today in history[symbol]:
                everyone = pooled(profiles.values())
                case = _case(symbol, history[symbol][today], past[symbol], own, everyone)
                yield case.on(PUBLISHED.effect_on(case.session, record)) if special else case


def _case(symbol: str, day: Day, past: Sequence[Day], own: Profile, everyone: Profile) -> Case:
    totals = [sum(earlier.volumes) for earlier in past]
    drawn = learn([earlier.volumes for earlier in past], prior=everyone)
    return Case(day, day.session(), own, drawn, fmean(totals), expected_volume(totals), symbol)


def volatilities(history: History) -> dict[tuple[str, date], float]:
    """Of each symbol and day, as the sessions before it say; none where they are too few."""
    found = {}
    for symbol, sessions in history.items():
        days = [traded(day) for day in sessions.values()]
        for index, today in enumerate(sessions):
            sigma = daily_volatility(days[max(index - LEARN_FROM, 0) : index])
            found.update({} if sigma is None else {(symbol, today): sigma})
    return found


def traded(day: Day) -> TradedDay:
    price = next(n / v for v, n in zip(day.volumes, day.notionals, strict=True) if v)
    prices = []
    for volume, notional in zip(day.volumes, day.notionals, strict=True):
        price = notional / volume if volume else price
        prices.append(price)
    return TradedDay(day.open.date(), tuple(day.volumes), tuple(prices), price)


def _past(sessions: Mapping[date, Day], today: date) -> list[Day]:
    return [sessions[day] for day in sessions if day < today][-LEARN_FROM:]
