"""Alpaca's market data through the real client: each quote with its own age, every page of bars."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from pytest_django.fixtures import Settings

from deepstack.config import ConfigError
from execution.broker.alpaca.market_data import AlpacaMarket
from execution.market.base import MarketDataUnavailable, vwap
from tests.brokers.alpaca_rig import AlpacaRig
from tests.brokers.alpaca_rig import settings as configured
from tests.stack import wait_for

NOON = datetime(2024, 6, 12, 17, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def market(rig: AlpacaRig, **more: object) -> AlpacaMarket:
    return AlpacaMarket(configured(rig.peer.url, **more))


def asked(rig: AlpacaRig) -> int:
    return len(rig.peer.entries("attempt"))


def stamp(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S.%fZ}"


def test_a_quote_has_exact_prices_shares_and_its_own_time(alpaca: AlpacaRig) -> None:
    made = alpaca.now() - timedelta(seconds=12)
    row = {"bp": 387.67, "ap": 387.7, "bs": 200, "as": 100, "t": stamp(made)}
    alpaca.peer.tell("quote", symbol="AAPL", **row)
    quote = market(alpaca).quote("AAPL", alpaca.now())
    assert quote is not None
    assert (quote.bid, quote.ask) == (Decimal("387.67"), Decimal("387.7"))
    assert (quote.bid_size, quote.ask_size) == (200, 100)
    assert quote.at == made, "its age is for the caller to judge"


def test_a_quote_is_never_from_after_the_question(alpaca: AlpacaRig) -> None:
    at = alpaca.now()
    quote = market(alpaca).quote("AAPL", at)
    assert quote is not None
    assert quote.at <= at


@pytest.mark.parametrize("seconds", [9, 11, 3_600])
def test_a_quote_of_a_wrong_clock_is_no_quote_of_now(alpaca: AlpacaRig, seconds: int) -> None:
    """It would never grow old."""
    at = datetime.now(UTC)
    row = {"bp": 150.0, "ap": 150.1, "t": stamp(at + timedelta(seconds=seconds))}
    alpaca.peer.tell("quote", symbol="AAPL", **row)
    if seconds < 10:
        quote = market(alpaca).quote("AAPL", at)
        assert quote is not None
        assert quote.at == at
    else:
        with pytest.raises(MarketDataUnavailable, match=r"AAPL is stamped .* s ahead of our clock"):
            market(alpaca).quote("AAPL", at)


@pytest.mark.parametrize("price", [0, -1, float("inf"), 1e300])
@pytest.mark.parametrize("side", ["bp", "ap"])
def test_a_quote_with_an_empty_side_is_none(alpaca: AlpacaRig, side: str, price: float) -> None:
    alpaca.peer.tell("quote", symbol="AAPL", **{"bp": 150.0, "ap": 150.1, side: price})
    assert market(alpaca).quote("AAPL", alpaca.now()) is None


def test_an_unknown_symbol_has_no_quote_and_no_bars(alpaca: AlpacaRig) -> None:
    source = market(alpaca)
    assert source.quote("NOSUCH", alpaca.now()) is None
    assert source.bars("NOSUCH", NOON, NOON + MINUTE) == []


def test_one_answer_serves_all_processes_for_a_moment(alpaca: AlpacaRig) -> None:
    first, second = market(alpaca), market(alpaca)
    before = asked(alpaca)
    assert first.quote("AAPL", alpaca.now()) is not None
    assert second.quote("AAPL", alpaca.now()) is not None
    assert asked(alpaca) == before + 1
    wait_for(lambda: _asks(second, alpaca), 5, "a fresh quote to be asked for")


def _asks(source: AlpacaMarket, rig: AlpacaRig) -> bool:
    before = asked(rig)
    source.quote("AAPL", rig.now())
    return asked(rig) > before


def test_while_the_source_is_away_the_last_quote_stands_and_grows_old(alpaca: AlpacaRig) -> None:
    source = market(alpaca)
    made = alpaca.now() - timedelta(seconds=3)
    alpaca.peer.tell("quote", symbol="AAPL", bp=150.0, ap=150.1, t=stamp(made))
    source.quote("AAPL", alpaca.now())
    alpaca.peer.tell("fault", method="GET", path="/v2/stocks", status=503, body="", times=-1)
    wait_for(lambda: _asks(source, alpaca), 5, "the source to be asked in vain")
    quote = source.quote("AAPL", alpaca.now())
    assert quote is not None
    assert quote.at == made
    with pytest.raises(MarketDataUnavailable):
        source.quote("MSFT", alpaca.now())


def test_a_past_moment_has_the_quote_of_then(alpaca: AlpacaRig) -> None:
    for seconds, bid in ((300, 10.0), (200, 11.0), (100, 12.0)):
        made = alpaca.now() - timedelta(seconds=seconds)
        alpaca.peer.tell("quote", symbol="XYZ", bp=bid, ap=bid + 1, t=stamp(made))
    quote = market(alpaca).quote("XYZ", alpaca.now() - timedelta(seconds=150))
    assert quote is not None
    assert quote.bid == 11
    assert market(alpaca).quote("XYZ", alpaca.now() - timedelta(seconds=400)) is None


def test_bars_go_beyond_the_first_page(alpaca: AlpacaRig) -> None:
    alpaca.peer.tell("bars", symbol="AAPL", start=NOON.isoformat(), count=2_500, volume=100)
    bars = market(alpaca).bars("AAPL", NOON, NOON + 3_000 * MINUTE)
    assert len(bars) == 2_500
    assert [bar.start for bar in bars[:2]] == [NOON, NOON + MINUTE]


def test_only_bars_that_began_and_ended_inside_are_told(alpaca: AlpacaRig) -> None:
    alpaca.peer.tell("bars", symbol="AAPL", start=NOON.isoformat(), count=10, volume=100)
    half = timedelta(seconds=30)
    bars = market(alpaca).bars("AAPL", NOON + half, NOON + 4 * MINUTE + half)
    assert [bar.start - NOON for bar in bars] == [MINUTE, 2 * MINUTE, 3 * MINUTE]
    assert market(alpaca).bars("AAPL", NOON + half, NOON + MINUTE + half) == []


def test_a_bar_is_exact_and_labelled_by_its_start(alpaca: AlpacaRig) -> None:
    alpaca.peer.tell("bars", symbol="AAPL", start=NOON.isoformat(), count=1, volume=123)
    (bar,) = market(alpaca).bars("AAPL", NOON, NOON + MINUTE)
    assert (bar.start, bar.end, bar.volume) == (NOON, NOON + MINUTE, 123)
    assert (bar.open, bar.high, bar.low, bar.close) == tuple(
        map(Decimal, ("150.0", "150.03", "149.98", "150.01"))
    )
    assert vwap([bar]) == Decimal("150.005")


def test_settled_bars_are_asked_for_once(alpaca: AlpacaRig) -> None:
    alpaca.peer.tell("bars", symbol="AAPL", start=NOON.isoformat(), count=3, volume=100)
    first, second = market(alpaca), market(alpaca)
    first.bars("AAPL", NOON, NOON + 3 * MINUTE)
    before = asked(alpaca)
    assert len(second.bars("AAPL", NOON, NOON + 3 * MINUTE)) == 3
    assert asked(alpaca) == before


def test_a_feed_that_is_not_paid_for_is_named_in_alpacas_words(alpaca: AlpacaRig) -> None:
    source = market(alpaca, alpaca_data_feed="sip")
    with pytest.raises(MarketDataUnavailable, match="recent SIP data"):
        source.quote("AAPL", alpaca.now())


@pytest.mark.parametrize(("feed", "whole"), [("iex", False), ("sip", True)])
def test_a_feed_of_one_exchange_is_flagged(alpaca: AlpacaRig, feed: str, whole: bool) -> None:
    assert market(alpaca, alpaca_data_feed=feed).whole_tape is whole


@pytest.mark.parametrize(
    "body",
    [
        "",
        "[]",
        '{"quotes": 5}',
        '{"quotes": {"AAPL": {"bp": 1}}}',
        '{"quotes": {"AAPL": {"bp": NaN, "ap": 150.1, "bs": 1, "as": 1, "t": "2026-11-20"}}}',
        '{"quotes": {"AAPL": {"bp": 1, "ap": 1, "bs": 1, "as": 1, "t": "2026-11-20T15:00:00"}}}',
        '{"quotes": {"AAPL": {"bp": 1, "ap": 1, "bs": -1, "as": 1, "t": "2026-11-20T15:00:00Z"}}}',
        '{"quotes": {"AAPL": 7}}',
        "<html>",
    ],
)
def test_an_answer_that_cannot_be_read_is_no_quote(alpaca: AlpacaRig, body: str) -> None:
    alpaca.peer.tell("fault", method="GET", path="/v2/stocks", body=body)
    with pytest.raises(MarketDataUnavailable):
        market(alpaca).quote("AAPL", alpaca.now())


@pytest.mark.parametrize("price", ["0", "-1", "NaN", "Infinity", "1e300", "null"])
def test_a_bar_without_prices_is_no_bar(alpaca: AlpacaRig, price: str) -> None:
    row = f'{{"o": 1, "h": 1, "l": 1, "c": 1, "vw": {price}, "v": 5, "t": "2026-11-20T15:00:00Z"}}'
    body = f'{{"bars": {{"AAPL": [{row}]}}, "next_page_token": null}}'
    alpaca.peer.tell("fault", method="GET", path="/v2/stocks", body=body)
    with pytest.raises(MarketDataUnavailable):
        market(alpaca).bars("AAPL", NOON, NOON + MINUTE)


@pytest.mark.parametrize(
    "bars",
    [
        "7",
        '"many"',
        '[{"o": 1, "h": 1, "l": 1, "c": 1, "vw": 1, "v": -5, "t": "2026-11-20T15:00Z"}]',
    ],
)
def test_bars_that_cannot_be_read_are_no_bars(alpaca: AlpacaRig, bars: str) -> None:
    body = f'{{"bars": {{"AAPL": {bars}}}, "next_page_token": null}}'
    alpaca.peer.tell("fault", method="GET", path="/v2/stocks", body=body)
    with pytest.raises(MarketDataUnavailable):
        market(alpaca).bars("AAPL", NOON, NOON + MINUTE)


def test_silence_is_bounded(alpaca: AlpacaRig) -> None:
    alpaca.peer.tell("fault", method="GET", path="/v2/stocks", then="hang")
    with pytest.raises(MarketDataUnavailable):
        market(alpaca).bars("AAPL", NOON, NOON + MINUTE)


def test_without_redis_there_is_no_market_data(alpaca: AlpacaRig, settings: Settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    with pytest.raises(MarketDataUnavailable, match="Redis"):
        market(alpaca).quote("AAPL", alpaca.now())


def test_keys_are_needed(alpaca: AlpacaRig) -> None:
    with pytest.raises(ConfigError, match="ALPACA_API_KEY"):
        market(alpaca, alpaca_api_key="")
