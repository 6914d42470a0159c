"""What is learned of a day's volume, from which sessions, and for which orders it holds."""

import json
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from execution import tasks
from execution.domain.session import Session
from execution.domain.volume_profile import U_SHAPE, learn, pooled
from execution.market import clock
from execution.market.calendar import NEW_YORK, ExchangeCalendar
from execution.models import Bar, VolumeProfile
from execution.planning import volume_profiles
from execution.planning.volume_profiles import learn_from_bars, profile_for

pytestmark = [pytest.mark.django_db, pytest.mark.any_date]

TODAY = date(2024, 6, 12)
MINUTE = timedelta(minutes=1)
CALENDAR = ExchangeCalendar(dict)


def session_on(day: date) -> Session:
    session = CALENDAR.session_on(day)
    assert session is not None
    return session


def sessions_before(day: date, count: int) -> list[date]:
    found: list[date] = []
    while len(found) < count:
        day -= timedelta(days=1)
        if CALENDAR.session_on(day):
            found.append(day)
    return found[::-1]


def rising(length: int = 390) -> list[int]:
    return [100 + minute for minute in range(length)]


def store(symbol: str, days: Iterable[date], volumes: Sequence[int] | None = None) -> None:
    """Bars of whole sessions, and one before the open that must not count."""
    bars = []
    for number, day in enumerate(days):
        session = session_on(day)
        price = Decimal(100 + number % 3)
        minutes = volumes or rising(int(session.length / MINUTE))
        starts = [(session.open + MINUTE * k, volume) for k, volume in enumerate(minutes)]
        bars += [
            Bar(
                symbol=symbol,
                start_at=start,
                open=price,
                high=price,
                low=price,
                close=price,
                volume=volume,
            )
            for start, volume in [(session.open - MINUTE * 9, 10**6), *starts]
        ]
    Bar.objects.bulk_create(bars)


def evening(day: date) -> datetime:
    return session_on(day).close


def test_a_profile_is_the_mean_shape_of_the_last_sessions_drawn_to_all() -> None:
    days = sessions_before(TODAY, 25)
    falling = rising()[::-1]
    store("GWW", days)
    store("TYL", days, falling)
    learned = {row.symbol: row for row in learn_from_bars(now=evening(days[-1]))}

    everyone = pooled([learn([rising()] * 20), learn([falling] * 20)])
    assert learned[""].shares == pytest.approx(everyone.shares)
    own = learn([rising()] * 20, prior=everyone)
    gww = learned["GWW"]
    assert gww.shares == pytest.approx(own.shares)
    assert gww.sessions == [day.isoformat() for day in days[-20:]]
    assert gww.until == days[-1]
    assert gww.mean_volume == sum(rising())
    assert gww.expected_volume == pytest.approx(sum(rising()))
    assert gww.daily_volatility == pytest.approx(0.0146, rel=0.1)
    assert learned[""].expected_volume is None


@pytest.mark.parametrize(
    ("symbol", "before", "origin"),
    [
        pytest.param("GWW", TODAY, "symbol", id="its own"),
        pytest.param("AZO", TODAY, "pooled", id="never seen: all together"),
        pytest.param("GWW", date(2024, 6, 11), "default", id="learned from that very day"),
        pytest.param("GWW", date(2023, 1, 3), "default", id="long before"),
    ],
)
def test_the_profile_that_holds_for_a_day(symbol: str, before: date, origin: str) -> None:
    store("GWW", sessions_before(TODAY, 6))  # the last one is 11 June
    learn_from_bars(now=evening(date(2024, 6, 11)))
    known = profile_for(symbol, before=before)

    assert known.origin == origin
    assert (known.profile is U_SHAPE) == (origin == "default")
    assert (known.row is None) == (origin == "default")


def test_nothing_is_learned_of_a_session_that_is_not_over() -> None:
    store("GWW", [*sessions_before(TODAY, 6), TODAY])
    learn_from_bars(now=evening(TODAY) - timedelta(seconds=1))
    assert VolumeProfile.objects.latest("id").until == date(2024, 6, 11)
    learn_from_bars(now=evening(TODAY))
    assert VolumeProfile.objects.latest("id").until == TODAY


def test_another_future_teaches_the_same() -> None:
    days = sessions_before(TODAY, 12)
    store("GWW", days)
    store("TYL", days)

    def learned() -> list[Any]:
        rows = learn_from_bars(now=evening(days[8]) + timedelta(minutes=30))
        shown = [(row.symbol, row.until, row.shares, row.expected_volume) for row in rows]
        VolumeProfile.objects.all().delete()
        return shown

    before = learned()
    after_then = Bar.objects.filter(start_at__gt=evening(days[8]))
    after_then.update(volume=10**9, close=1, low=1)
    assert learned() == before
    Bar.objects.filter(start_at__lt=evening(days[8])).update(volume=7)
    assert learned() != before


def test_what_is_drawn_to_all_knows_as_much_as_all() -> None:
    """A symbol whose own sessions are old is not given out for days that its prior has seen."""
    store("OLD", sessions_before(date(2024, 3, 1), 6))
    store("GWW", sessions_before(TODAY, 6))
    learn_from_bars(now=evening(TODAY))

    assert profile_for("OLD", before=date(2024, 3, 4)).origin == "default"
    assert profile_for("OLD", before=TODAY).origin == "symbol"


def test_half_days_and_thin_histories_teach_nothing() -> None:
    half = date(2024, 7, 3)
    store("GWW", [*sessions_before(half, 6), half])
    store("NEW", sessions_before(half, 4))
    learned = learn_from_bars(now=evening(half))

    assert [row.symbol for row in learned] == ["GWW", ""]
    assert half.isoformat() not in learned[0].sessions
    assert len(learned[0].sessions) == 6
    assert {row.until for row in learned} == {half}  # seen, and not to be looked at again


def test_the_same_again_stores_nothing_and_a_correction_does() -> None:
    store("GWW", sessions_before(TODAY, 6))
    assert len(learn_from_bars(now=evening(TODAY))) == 2
    assert learn_from_bars(now=evening(TODAY)) == []
    Bar.objects.filter(start_at__hour=14).update(volume=5)
    assert len(learn_from_bars(now=evening(TODAY))) == 2


def test_a_named_symbol_is_drawn_to_the_stored_profile_of_all() -> None:
    days = sessions_before(TODAY, 6)
    store("GWW", days)
    learn_from_bars(now=evening(TODAY))
    store("TYL", days, rising()[::-1])
    [row] = learn_from_bars(["TYL"], now=evening(TODAY))

    prior = learn([rising()] * 6, prior=None)
    assert row.shares == pytest.approx(learn([rising()[::-1]] * 6, prior=prior).shares)


@pytest.fixture
def after_the_close() -> Iterable[None]:
    clock.start_clock(evening(TODAY) + timedelta(minutes=5), speed=1)
    yield
    clock.forget()


@pytest.mark.usefixtures("after_the_close")
def test_the_timetable_learns_when_a_session_has_ended() -> None:
    days = sessions_before(TODAY, 6)
    store("GWW", days)
    tasks.learn_profiles()
    assert VolumeProfile.objects.count() == 2
    tasks.learn_profiles()
    assert VolumeProfile.objects.count() == 2
    store("NEW", days[-2:])  # too little to learn from, and nothing later than what is known
    tasks.learn_profiles()
    assert VolumeProfile.objects.count() == 2
    store("GWW", [TODAY])
    tasks.learn_profiles()
    assert set(VolumeProfile.objects.order_by("id").values_list("until", flat=True)) == {
        days[-1],
        TODAY,
    }


def learn_by_command(*options: str) -> str:
    said = StringIO()
    call_command("learn_profiles", *options, stdout=said)
    return said.getvalue()


@pytest.mark.usefixtures("after_the_close")
def test_the_command_learns_from_stored_bars() -> None:
    store("GWW", sessions_before(TODAY, 8))
    shown = json.loads(learn_by_command("--json", "--until", "2024-06-10", "--sessions", "6"))

    assert [(row["symbol"], row["until"], len(row["sessions"])) for row in shown] == [
        ("GWW", "2024-06-10", 6),
        ("", "2024-06-10", 6),
    ]
    assert "nothing new" in learn_by_command("--until", "2024-06-10", "--sessions", "6")
    assert "all together" in learn_by_command()


@pytest.mark.usefixtures("after_the_close")
def test_the_command_names_what_it_has_too_few_bars_of() -> None:
    assert "nothing is known of any symbol: it takes 5 full sessions" in learn_by_command()
    store("GWW", sessions_before(TODAY, 8))
    said = learn_by_command("--symbol", "GWW", "NEW")
    assert "GWW" in said
    assert "nothing is known of NEW: it takes 5 full sessions" in said
    assert "nothing new" not in said


def bar_file(folder: Path, days: Iterable[date]) -> Path:
    file = folder / "bars.csv"
    lines = ["symbol,timestamp,open,high,low,close,volume"]
    for day in days:
        at = datetime.combine(day, time(9, 30), NEW_YORK)
        for minute in range(390):
            start = (at + MINUTE * minute).isoformat()
            lines += [f"{name},{start},9,9,9,9,{100 + minute}" for name in ("GWW", "TYL")]
    file.write_text("\n".join(lines))
    return file


@pytest.mark.usefixtures("after_the_close")
def test_the_command_learns_from_a_file_without_storing_bars(tmp_path: Path) -> None:
    file = bar_file(tmp_path, sessions_before(TODAY, 6))
    learn_by_command("--source", str(file), "--until", "2024-06-10", "--symbol", "GWW")

    [row] = VolumeProfile.objects.all()
    assert (row.symbol, row.source, row.until) == ("GWW", "bars.csv", date(2024, 6, 10))
    assert row.shares == pytest.approx(learn([rising()] * 5).shares)
    assert not Bar.objects.exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--until", "12 June"], "'12 June': a day such as 2024-06-12 is allowed"),
        (["--sessions", "4"], "'4': a whole number from 5 to 250 is allowed"),
        (["--source", "none.csv"], r"none\.csv: No such file"),
    ],
)
def test_wrong_options_are_refused(options: list[str], message: str) -> None:
    with pytest.raises(CommandError, match=message):
        learn_by_command(*options)


def test_a_profile_by_its_row_is_the_one_that_was_given_out() -> None:
    store("GWW", sessions_before(TODAY, 6))
    learn_from_bars(now=evening(TODAY))
    known = profile_for("GWW", before=TODAY)
    assert known.row is not None
    assert volume_profiles.stored(known.row) == known
