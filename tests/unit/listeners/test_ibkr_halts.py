"""Whether TWS is asked for halts, and what its ticks are news of."""

from datetime import UTC, datetime, timedelta

import pytest

from deepstack.config import Config
from deepstack.config_ibkr import Ibkr
from deepstack.config_market import Market
from execution.broker.ibkr.halted_ticks import HaltedSeen, State
from execution.listeners.ibkr_halts import REASONS, changes, listener_of

LIVE = {"trading_mode": "live", "live_broker": "ibkr"}
NOW = datetime(2026, 11, 20, 15, tzinfo=UTC)
T, H, P = State.TRADING, State.HALTED, State.PAUSED


@pytest.mark.parametrize(
    ("settings", "asked"),
    [
        (LIVE, True),
        (LIVE | {"market": Market(source="alpaca")}, True),
        (LIVE | {"market": Market(source="alpaca", halts_from_source=False)}, True),
        (LIVE | {"ibkr": Ibkr(halts_from_tws=False)}, False),
        (LIVE | {"live_broker": "alpaca"}, False),
        (LIVE | {"trading_mode": "paper"}, False),
    ],
)
def test_tws_is_asked_where_it_trades_unless_told_otherwise(
    settings: dict[str, object], asked: bool
) -> None:
    assert bool(listener_of(Config().model_copy(update=settings))) == asked


@pytest.mark.parametrize(
    ("known", "states", "news"),
    [
        (T, [T], []),
        (H, [H], []),
        (T, [H], [H]),
        (H, [T], [T]),
        (H, [P], [P]),
        (T, [H, T], [H, T]),
        (T, [H, H, T, T], [H, T]),
        (H, [T, P], [T, P]),
    ],
)
def test_what_is_known_already_is_no_news(
    known: State, states: list[State], news: list[State]
) -> None:
    seen = [HaltedSeen("AAPL", state, NOW + timedelta(seconds=n)) for n, state in enumerate(states)]
    reasons = {"MSFT": "Trading halt"} | ({"AAPL": REASONS[known]} if known else {})
    told = list(changes(seen, reasons))
    assert [report.halted for report in told] == [bool(state) for state in news]
    assert [report.reason for report in told if report.halted] == [REASONS[n] for n in news if n]


def test_symbols_are_known_apart() -> None:
    seen = [HaltedSeen(symbol, H, NOW) for symbol in ("AAPL", "MSFT")]
    assert [report.symbol for report in changes(seen, {"AAPL": REASONS[H]})] == ["MSFT"]
