"""Trading halts that are known, and a market that honours them."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from deepstack.config import Config
from execution.market.base import Halt
from execution.market.simulated import SimulatedMarket
from execution.market.trading_halts import Span, TradingHalts

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def at(minute: float) -> datetime:
    return NOON + minute * MINUTE


def halts(*spans: tuple[float, float | None]) -> TradingHalts:
    """Of XYZ, in minutes from noon."""
    rows = [Span(at(start), None if end is None else at(end), "news") for start, end in spans]
    return TradingHalts(lambda: {"XYZ": rows})


def market(*spans: tuple[float, float | None]) -> SimulatedMarket:
    return SimulatedMarket(Config(), halts(*spans))


@pytest.mark.parametrize(
    ("word", "spans", "minute", "since"),
    [
        ("no halt is known", [], 10, None),
        ("a moment before", [(10, 25)], 9.99, None),
        ("it begins", [(10, 25)], 10, 10),
        ("it lasts", [(10, 25)], 24.99, 10),
        ("it is over", [(10, 25)], 25, None),
        ("nobody knows until when", [(10, None)], 999, 10),
        ("the second of two", [(10, 15), (20, 25)], 22, 20),
        ("between two", [(10, 15), (20, 25)], 17, None),
    ],
)
def test_a_halt_is_told_while_it_lasts(
    word: str, spans: Sequence[tuple[float, float | None]], minute: float, since: float | None
) -> None:
    told = halts(*spans).at("XYZ", at(minute))
    assert told == (None if since is None else Halt(at(since), "news"))
    assert halts(*spans).at("ABC", at(minute)) is None


def test_in_a_halt_the_last_quote_stands_and_grows_old() -> None:
    halted, free = market((10, 25)), market()
    before, during = halted.quote("XYZ", at(10)), halted.quote("XYZ", at(24.99))
    assert before == during
    assert during is not None
    assert (during.at, during.halt) == (at(10), Halt(at(10), "news"))
    assert halted.quote("XYZ", at(9.99)) == free.quote("XYZ", at(9.99))
    assert halted.quote("XYZ", at(25)) == free.quote("XYZ", at(25))


@pytest.mark.parametrize(
    ("word", "spans", "missing"),
    [
        ("none", [], []),
        ("whole minutes", [(10, 12)], [10, 11]),
        ("a minute that it touches did not trade", [(9.5, 10.5)], [9, 10]),
        ("to the end", [(38, None)], [38, 39]),
    ],
)
def test_nothing_prints_in_a_halt(
    word: str, spans: Sequence[tuple[float, float | None]], missing: Sequence[int]
) -> None:
    seen = market(*spans)
    traded = [bar.start for bar in seen.bars("XYZ", NOON, at(40))]
    assert traded == [at(minute) for minute in range(40) if minute not in missing]
    silent = [minute for minute in range(40) if seen.printing("XYZ", at(minute + 0.5)) is None]
    assert silent == missing


def test_a_halt_to_come_and_the_end_of_one_change_no_answer() -> None:
    free, open_end, known_end = market(), market((10, None)), market((10, 25))
    for minute in (0, 5.5, 9.98):
        for other in (open_end, known_end):
            assert other.quote("XYZ", at(minute)) == free.quote("XYZ", at(minute))
            assert other.bars("XYZ", NOON, at(minute)) == free.bars("XYZ", NOON, at(minute))
    for minute in (10, 24.98):
        assert open_end.quote("XYZ", at(minute)) == known_end.quote("XYZ", at(minute))
        assert open_end.bars("XYZ", NOON, at(minute)) == known_end.bars("XYZ", NOON, at(minute))
