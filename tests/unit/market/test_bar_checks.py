"""What a file of bars holds as a whole: spacing, duplicates, gaps, jumps."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from execution.market.bar_checks import Findings, checked, in_words, place
from execution.market.bar_files import BarFileError, BarRow
from execution.market.calendar import ExchangeCalendar

OPEN = datetime(2024, 6, 12, 13, 30, tzinfo=UTC)  # 09:30 in New York


def bars(*minutes: int, symbol: str = "GWW", price: float = 10) -> list[BarRow]:
    each = Decimal(str(price))
    return [
        BarRow(line, symbol, OPEN + timedelta(minutes=minute), each, each, each, each, 100, None)
        for line, minute in enumerate(minutes, 2)
    ]


def found(rows: list[BarRow]) -> Findings:
    made = Findings()
    assert list(checked(rows, made)) == rows
    return made


DAY = 1440


@pytest.mark.parametrize(
    ("minutes", "message"),
    [
        pytest.param([0, 1, 0], "line 4: GWW 2024-06-12 09:30 ET stands in line 2 al", id="twice"),
        pytest.param([0, 5, 10], "lines 2 and 3: the bars of GWW are all 5 minutes apart", id="5"),
        pytest.param([*range(0, 60, 5), DAY, DAY + 10], "all 5 minutes apart", id="gaps"),
        pytest.param([0, 60, 120], "all 1 hour apart", id="hourly"),
        pytest.param([0, DAY, 2 * DAY], "one bar a day", id="daily"),
        pytest.param([0, DAY, 5 * DAY, 6 * DAY], "one bar a day", id="daily over a weekend"),
        pytest.param([10, 5, 0], "lines 4 and 3: the bars of GWW are all 5", id="newest first"),
    ],
)
def test_bars_of_another_spacing_are_refused_by_their_lines(
    minutes: list[int], message: str
) -> None:
    with pytest.raises(BarFileError, match=message):
        list(checked(bars(*minutes), Findings()))


@pytest.mark.parametrize(
    "minutes",
    [[0], [0, 7], [0, 1, 2], [0, 2, 4, 7], [3, 2, 1], [0, 10, 40, DAY]],
    ids=str,
)
def test_a_thin_name_with_silent_minutes_is_one_minute_bars(minutes: list[int]) -> None:
    assert found(bars(*minutes)).bars == len(minutes)


def test_one_day_of_five_minute_bars_among_days_of_one_minute_is_refused() -> None:
    mixed = [*range(0, 390, 5), *range(DAY, DAY + 390)]
    with pytest.raises(BarFileError, match="lines 2 and 3: the bars of GWW are all 5 minutes"):
        list(checked(bars(*mixed), Findings()))


def test_bars_of_a_time_that_has_not_come_are_refused() -> None:
    with pytest.raises(BarFileError, match="line 3: 2024-06-12 09:31 ET has not come yet"):
        list(checked(bars(0, 1), Findings(), until=OPEN))


def test_a_print_far_off_inside_a_bar_is_told() -> None:
    [bar] = bars(0)
    made = found([replace(bar, high=bar.high * 100)])
    assert "from 10 to 1000, x100: a split, or wrong data?" in " ".join(in_words(made))


@pytest.mark.parametrize(
    ("minutes", "said"),
    [
        pytest.param(range(390), "", id="as the exchange"),
        pytest.param(range(-330, 630), "", id="extended hours"),
        pytest.param(range(3, 385), "", id="a thin name"),
        pytest.param(
            range(1, 391), "1 minutes later than the exchange's: is a stamp the", id="ends"
        ),
        pytest.param(range(60, 450), "60 minutes later than the exchange's: is the time", id="EST"),
        pytest.param(range(-60, 330), "60 minutes earlier than", id="another zone"),
    ],
)
def test_sessions_that_begin_and_end_later_than_the_exchange_are_told(
    minutes: range, said: str
) -> None:
    made = found(bars(*minutes))
    place(made, ExchangeCalendar(dict))
    warned = [line for line in in_words(made) if "begin and end" in line]
    assert [said in line for line in warned] == [True] * bool(said)


def test_two_symbols_may_share_a_minute() -> None:
    rows = [bar for pair in zip(bars(0, 1), bars(0, 1, symbol="TYL"), strict=True) for bar in pair]
    assert found(rows).symbols == {"GWW", "TYL"}


@pytest.mark.parametrize(
    ("after", "jumps"), [(2.5, 1), (40, 1), (6.6, 1), (7.5, 0), (13, 0), (15, 1)]
)
def test_a_jump_like_a_split_is_told(after: float, jumps: int) -> None:
    made = found(
        bars(0, 1)
        + [
            BarRow(
                9,
                *(getattr(bar, name) for name in ("symbol", "start", "open", "high", "low")),
                bar.close,
                bar.volume,
                None,
            )
            for bar in bars(DAY, DAY + 1, price=after)
        ]
    )
    assert len(made.jumps) == jumps
    assert ("a split, or wrong data?" in " ".join(in_words(made))) == bool(jumps)
