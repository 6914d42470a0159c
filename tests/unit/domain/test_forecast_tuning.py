"""The constants of the volume forecast are changed by evidence alone."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from random import Random

import pytest

from execution.domain.forecast_orders import past_order
from execution.domain.forecast_tuning import TooFewSessions, gain, tune
from execution.domain.past_sessions import PastSession, walk_forward
from execution.domain.session import Session
from execution.domain.traded_sessions import MINUTE, TradedDay
from execution.domain.volume_forecast import Constants, dynamic_target
from execution.domain.volume_grid import aimed_at, believed
from execution.domain.volume_profile import Profile

USED = Constants()
LENGTH = 390
FIRST = datetime(2024, 3, 4, 14, 30, tzinfo=UTC)


def session(number: int) -> Session:
    opened = FIRST + timedelta(days=number)
    close = opened + MINUTE * LENGTH
    return Session(opened.date(), opened, close, opened, close)


def traded(number: int, volumes: list[int], prices: list[float] | None = None) -> TradedDay:
    prices = prices or [100 + minute / 100 for minute in range(LENGTH)]
    return TradedDay(session(number).day, tuple(volumes), tuple(prices), prices[-1])


def past(number: int, volumes: list[int]) -> PastSession:
    flat = Profile.even([1.0] * 13)
    return PastSession("AAPL", session(number), traded(number, volumes), flat, 39_000, 39_000)


def deviation_bps(
    past: PastSession, start: datetime, end: datetime, times: list[datetime]
) -> float:
    order = past_order(past, start, end, times)
    assert order is not None
    return order.deviation_bps(order.sights(USED.recent_minutes), USED)


def every_half_hour(_past: PastSession, start: datetime, end: datetime) -> list[datetime]:
    return [
        start + timedelta(minutes=30) * k for k in range((end - start) // timedelta(minutes=30))
    ]


def passing_mornings(seed: int) -> list[int]:
    """A day whose morning is fast or slow, of which nothing is left after it."""
    morning = int(100 * Random(seed).choice([0.3, 3.0]))
    return [morning] * 120 + [100] * (LENGTH - 120)


def test_an_order_whose_forecast_is_right_ends_at_the_market_but_for_its_first_minutes() -> None:
    day = past(0, [100] * LENGTH)
    opened, close = day.session.open, day.session.close
    times = [opened + MINUTE * k for k in range(LENGTH)]
    assert deviation_bps(day, opened, close, times) == pytest.approx(0, abs=0.05)


@pytest.mark.parametrize("constants", [USED, Constants(0.9, 0.1, 30, 0.8, 0.15)])
def test_orders_are_aimed_by_the_rule_of_the_service(constants: Constants) -> None:
    """Whatever is looked up once for all constants changes no target; some minutes are silent."""
    chance = Random(11)
    day = past(0, [chance.choice((0, 0, 50, 300)) for _ in range(LENGTH)])
    start, end = day.session.open + MINUTE * 60, day.session.close
    times = every_half_hour(day, start, end)
    order = past_order(day, start, end, times)
    assert order is not None
    for sight, due, after in zip(
        order.sights(constants.recent_minutes), times, [*times[1:], end], strict=True
    ):
        assert sight.target(constants) == dynamic_target(
            day.profile,
            day.session,
            start=start,
            end=end,
            until=end if after == end else aimed_at(due, after),
            minutes=believed(day.traded.volumes[: (due - day.session.open) // MINUTE]),
            minutes_from=day.session.open,
            daily_volume=day.mean_volume,
            today=day.expected_volume,
            constants=constants,
        )


def test_a_silent_first_minute_trades_at_the_next_price() -> None:
    volumes = [0] * LENGTH
    volumes[10], volumes[-1] = 100, 100
    prices = [100.0] * 10 + [110.0] * (LENGTH - 11) + [120.0]
    day = replace(past(0, volumes), traded=traded(0, volumes, prices))
    opened, close = day.session.open, day.session.close
    assert deviation_bps(day, opened, close, [opened]) == pytest.approx((110 / 115 - 1) * 10_000)


def test_nothing_is_said_of_a_window_in_which_nothing_traded() -> None:
    day = past(0, [100] + [0] * (LENGTH - 1))
    close = day.session.close
    assert past_order(day, close - MINUTE * 60, close, [close - MINUTE * 60]) is None


def test_constants_that_suit_the_symbols_are_proposed_with_their_gain() -> None:
    worked = [past(number, passing_mornings(number)) for number in range(40)]
    poor = replace(USED, day_persistence=0.95, recent_persistence=0.45)
    tuned = tune(worked, poor, every_half_hour, random=Random(1))
    assert tuned.better
    assert tuned.error[1] < tuned.error[0]
    assert tuned.gain.low <= tuned.gain.mean <= tuned.gain.high
    assert tuned.gain.mean == pytest.approx(tuned.error[0] - tuned.error[1])
    assert tuned.chosen_on[1] < tuned.judged_on[0]


def test_progress_rises_to_all_of_the_work() -> None:
    shares: list[float] = []
    worked = [past(number, [100] * LENGTH) for number in range(20)]
    tune(worked, USED, every_half_hour, random=Random(1), progress=shares.append)
    assert shares == sorted(shares)
    assert 0 < shares[0] < 0.01
    assert shares[-1] == 1.0


def test_where_no_constant_matters_those_in_use_stay() -> None:
    worked = [past(number, [100] * LENGTH) for number in range(24)]
    tuned = tune(worked, USED, every_half_hour, random=Random(1))
    assert not tuned.better


def test_what_was_chosen_by_chance_is_not_better() -> None:
    """Steady days with noise: some constant is always the best of the earlier half."""
    chance = Random(5)
    noise = [[chance.randint(50, 150) for _ in range(LENGTH)] for _ in range(24)]
    tuned = tune(
        [past(number, volumes) for number, volumes in enumerate(noise)],
        USED,
        every_half_hour,
        random=Random(1),
    )
    assert tuned.gain.low <= 0


def test_too_few_sessions_say_how_many_are_needed() -> None:
    worked = [past(number, [100] * LENGTH) for number in range(19)]
    with pytest.raises(TooFewSessions, match=r"19 sessions .* at least 20 are needed"):
        tune(worked, USED, every_half_hour, random=Random(1))


def test_the_interval_is_that_of_days_not_of_symbols() -> None:
    """Twenty symbols that move alike say no more than one."""
    day = date(2024, 3, 4)
    errors = {("S", day + timedelta(days=k)): 5.0 + k % 2 for k in range(20)}
    fewer = dict.fromkeys(errors, 5.0)
    alone = gain(errors, fewer, random=Random(1))
    many = gain(
        {(f"S{n}", d): error for (_, d), error in errors.items() for n in range(20)},
        {(f"S{n}", d): error for (_, d), error in fewer.items() for n in range(20)},
        random=Random(1),
    )
    assert (many.low, many.high) == pytest.approx((alone.low, alone.high))
    assert alone.mean == pytest.approx(0.5)
    assert alone.low > 0


def test_a_past_session_knows_only_those_before_it() -> None:
    """What trades on a day, and later, changes nothing of what was known before it."""
    sessions = [session(number) for number in range(10)]
    days = [traded(number, [100 + number] * LENGTH) for number in range(10)]
    changed = [*days[:7], *(traded(number, [9_999] * LENGTH) for number in range(7, 10))]
    known = list(walk_forward({"A": days}, sessions, fewest=5, count=20))
    again = list(walk_forward({"A": changed}, sessions, fewest=5, count=20))
    assert [one.session for one in known] == sessions[5:]
    for one, other in zip(known[:3], again[:3], strict=True):
        assert (one.profile, one.expected_volume) == (other.profile, other.expected_volume)
    assert all(a.expected_volume < b.expected_volume for a, b in pairwise(known))


def test_a_day_of_which_a_reverse_split_leaves_nothing_is_not_learned_from() -> None:
    """One for a hundred after day 6: the ten shares a minute of day 2 are none of today's."""
    sessions = [session(number) for number in range(9)]
    cheap, dear = [1.0] * LENGTH, [100.0] * LENGTH
    days = [
        traded(number, [10 if number == 2 else 10_000] * LENGTH, dear if number > 6 else cheap)
        for number in range(9)
    ]
    worked = list(walk_forward({"A": days}, sessions, fewest=5, count=20))
    assert [one.session.day for one in worked] == [day.day for day in days[5:]]
    assert worked[-1].mean_volume == pytest.approx(LENGTH * (6 * 100 + 10_000) / 7)


def test_a_half_day_is_neither_worked_nor_learned_from() -> None:
    sessions = [session(number) for number in range(8)]
    days = [traded(number, [100] * LENGTH) for number in range(8)]
    days[6] = TradedDay(days[6].day, days[6].volumes[:210], days[6].prices[:210], 100.0)
    worked = list(walk_forward({"A": days}, sessions, fewest=5, count=20))
    assert [one.session.day for one in worked] == [days[5].day, days[7].day]
    assert worked[-1].mean_volume == 39_000
