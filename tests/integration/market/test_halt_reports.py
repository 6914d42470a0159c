"""What a source reports of trading halts, as rows: once each, whatever is repeated or late."""

from datetime import UTC, datetime, timedelta

import pytest
from pytest_django.fixtures import DjangoAssertNumQueries

from execution.market import halt_reports
from execution.market.halt_reports import HaltReport
from execution.market.trading_halts import ALL, TradingHalts, _stored_spans
from execution.models import MarketHalt, Order
from tests.integration.order_steps import new_order

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 11, 20, 17, 0, tzinfo=UTC)


def after(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def halt(minutes: float, symbol: str = "AAPL", reason: str = "news", **more: int) -> HaltReport:
    return HaltReport(symbol, after(minutes), halted=True, reason=reason, **more)


def resume(minutes: float, symbol: str = "AAPL") -> HaltReport:
    return HaltReport(symbol, after(minutes), halted=False, reason="Trading Resumption")


def book(*reports: HaltReport) -> None:
    halt_reports.book(reports, "alpaca")


def told() -> list[tuple[str, float, float | None, str]]:
    """Symbol, start and end in minutes after noon, reason."""

    def minutes(at: datetime | None) -> float | None:
        return None if at is None else (at - NOON) / timedelta(minutes=1)

    return [
        (row.symbol, minutes(row.start_at) or 0.0, minutes(row.end_at), row.reason)
        for row in MarketHalt.objects.order_by("start_at", "symbol")
    ]


@pytest.fixture
def order() -> Order:
    return new_order()


@pytest.mark.usefixtures("order")
def test_a_halt_holds_from_its_report_until_the_resumption() -> None:
    book(halt(0))
    assert told() == [("AAPL", 0, None, "news")]
    halts = TradingHalts(_stored_spans)
    assert halts.at("AAPL", after(5)) is not None
    assert halts.at("MSFT", after(5)) is None
    book(resume(6))
    assert told() == [("AAPL", 0, 6, "news")]
    assert TradingHalts(_stored_spans).at("AAPL", after(6)) is None


@pytest.mark.usefixtures("order")
def test_a_halt_that_is_told_again_goes_on_with_its_new_reason() -> None:
    book(halt(0), halt(2, reason="news released"))
    assert told() == [("AAPL", 0, None, "news released")]
    book(halt(2, reason="x" * 500))
    assert told() == [("AAPL", 0, None, "x" * 200)]


@pytest.mark.usefixtures("order")
def test_what_is_repeated_after_a_lost_connection_changes_nothing() -> None:
    book(halt(0), resume(5), halt(7))
    once = [("AAPL", 0, 5, "news"), ("AAPL", 7, None, "news")]
    assert told() == once
    book(halt(0, reason="older"), resume(5), halt(7))
    assert told() == once


@pytest.mark.usefixtures("order")
def test_a_symbol_is_halted_that_resumes_and_is_halted_at_one_moment() -> None:
    book(halt(0), resume(5), halt(5))
    assert told() == [("AAPL", 0, 5, "news"), ("AAPL", 5, None, "news")]


@pytest.mark.usefixtures("order")
def test_an_older_resumption_does_not_end_a_newer_halt() -> None:
    book(halt(7), resume(5), resume(7))
    assert told() == [("AAPL", 7, None, "news")]


@pytest.mark.usefixtures("order")
def test_a_person_ends_what_a_person_entered() -> None:
    MarketHalt.objects.create(symbol="AAPL", start_at=after(0), reason="by hand")
    book(halt(1), resume(5))
    assert told() == [("AAPL", 0, None, "by hand"), ("AAPL", 1, 5, "news")]


def test_a_halt_that_no_order_met_is_forgotten_with_its_end() -> None:
    book(halt(0, "ZZZ"))
    assert told() == [("ZZZ", 0, None, "news")]
    book(resume(5, "ZZZ"))
    assert told() == []


def test_an_order_that_ended_in_a_halt_keeps_it_on_record(order: Order) -> None:
    Order.objects.filter(pk=order.pk).update(status="EXPIRED", finished_at=after(3))
    book(halt(0), resume(5))
    assert told() == [("AAPL", 0, 5, "news")]
    book(halt(7), resume(8))
    assert told() == [("AAPL", 0, 5, "news")]


def test_the_market_wide_breaker_halts_all_symbols_for_its_fifteen_minutes() -> None:
    book(halt(0, level=1), halt(0.1, "MSFT", level=1))
    assert told()[0] == (ALL, 0, 15, "Market-wide circuit breaker, level 1")
    assert [row[0] for row in told()] == [ALL, "AAPL", "MSFT"]
    halts = TradingHalts(_stored_spans)
    assert halts.at("ZZZ", after(14)) is not None
    assert halts.at("ZZZ", after(15)) is None
    assert halts.at("MSFT", after(16)) is not None, "until its own resumption"


def test_after_the_third_level_nothing_trades_until_the_next_day() -> None:
    book(halt(0, level=2), halt(5, level=3))
    midnight = datetime(2026, 11, 21, 5, 0, tzinfo=UTC)  # in New York
    assert MarketHalt.objects.get(symbol=ALL).end_at == midnight
    book(halt(6, level=1))
    assert MarketHalt.objects.get(symbol=ALL).end_at == midnight


def test_the_halts_of_a_whole_market_take_a_few_statements(
    django_assert_max_num_queries: DjangoAssertNumQueries, order: Order
) -> None:
    symbols = [f"Z{number}" for number in range(400)]
    with django_assert_max_num_queries(10):
        book(halt(0, level=1), *(halt(0.1, symbol, level=1) for symbol in symbols))
    assert MarketHalt.objects.filter(end_at=None).count() == 401
    with django_assert_max_num_queries(10):
        book(resume(16), *(resume(16, symbol) for symbol in symbols))
    assert [row[:3] for row in told()] == [(ALL, 0, 15), (order.symbol, 0, 16)]
