"""The gateway hears by TWS's ticks which symbols are halted, of those that orders are worked in."""

import os
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.db import connection
from pytest_django import DjangoDbBlocker

from execution.domain.lifecycle import OrderStatus
from execution.models import MarketHalt, Order
from tests.brokers.children import parent
from tests.brokers.ibkr_rig import CLIENT_ID, Context, IbkrRig, running_context
from tests.brokers.simulator import LIVE
from tests.stack import empty_tables, wait_for

pytestmark = pytest.mark.any_date

SOON = 20.0  # seconds
LINES = 3
HALTED, PAUSED, TRADING, UNKNOWN = 1, 2, 0, -1
SUBSCRIBE = 1
IB_ASYNC = Path(sys.prefix, "ib_async")


@pytest.fixture(scope="module")
def shared(
    django_db_setup: None,
    django_db_blocker: DjangoDbBlocker,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Context]:
    folder = tmp_path_factory.mktemp("ibkr")
    with django_db_blocker.unblock(), running_context(folder) as context:
        context.stack.environment |= {
            **LIVE,
            "TRADING_MODE": "live",
            "LIVE_BROKER": "ibkr",
            "IBKR__MARKET_DATA_LINES": str(LINES),
        }
        empty_tables()  # orders that another file has left would be watched, too
        context.start()
        yield context
        context.stack.kill_all()
        empty_tables()


@pytest.fixture
def live(shared: Context, django_db_blocker: DjangoDbBlocker) -> Iterator[IbkrRig]:
    """No order, no halt, and no line in use."""
    with django_db_blocker.unblock():
        shared.ready()
        rig = IbkrRig(shared)
        yield rig
        shared.tws.do("reset")
        shared.tws.do("up")
        Order.objects.all().delete()
        MarketHalt.objects.all().delete()
        watches(rig)


def works(rig: IbkrRig, *symbols: str) -> None:
    """Orders of the login's account are worked in them, and TWS is asked for their halts."""
    for symbol in symbols:
        live_order(symbol)
    watches(rig, *symbols)


def live_order(symbol: str, account: str = "default") -> Order:
    return parent(account, symbol, 100)


def watched(rig: IbkrRig) -> list[str]:
    symbols: list[str] = rig.tws.do("watched", client_id=CLIENT_ID)
    return [symbol.replace(" ", ".") for symbol in symbols]


def watches(rig: IbkrRig, *symbols: str) -> None:
    wait_for(lambda: watched(rig) == sorted(symbols), SOON, f"TWS to be asked for {symbols}")


def says(rig: IbkrRig, symbol: str, state: int) -> None:
    rig.tws.do("halt", symbol=symbol.replace(".", " "), state=state)


def halts(symbol: str) -> Sequence[MarketHalt]:
    return MarketHalt.objects.filter(symbol=symbol, source="ibkr", end_at=None)


def is_halted(symbol: str) -> MarketHalt:
    wait_for(lambda: halts(symbol), SOON, f"{symbol} to be halted")
    return MarketHalt.objects.get(symbol=symbol, source="ibkr", end_at=None)


def trades(symbol: str) -> None:
    wait_for(lambda: not halts(symbol), SOON, f"{symbol} to trade")


def all_is_heard(rig: IbkrRig, symbol: str) -> None:
    """Ticks are booked in the order in which they are sent: this one comes last."""
    says(rig, symbol, HALTED)
    is_halted(symbol)


def version_of(halt: MarketHalt) -> str:
    """PostgreSQL's number of the transaction that wrote the row."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT xmin::text FROM execution_markethalt WHERE id = %s", [halt.pk])
        row: tuple[str] = cursor.fetchone()
        return row[0]


@pytest.mark.parametrize(
    ("state", "reason"), [(HALTED, "Trading halt"), (PAUSED, "Volatility (LULD) pause")]
)
def test_a_halt_is_known_by_its_tick_and_ends_with_the_next(
    live: IbkrRig, state: int, reason: str
) -> None:
    works(live, "AAPL")
    says(live, "AAPL", state)
    halt = is_halted("AAPL")
    assert (halt.reason, halt.source) == (reason, "ibkr")
    says(live, "AAPL", TRADING)
    trades("AAPL")
    halt.refresh_from_db()
    assert halt.end_at is not None
    assert halt.start_at < halt.end_at


def test_an_account_without_live_data_hears_of_it_by_the_delayed_tick(live: IbkrRig) -> None:
    live.tws.do("set", delayed=True)
    works(live, "AAPL")
    says(live, "AAPL", HALTED)
    is_halted("AAPL")
    says(live, "AAPL", TRADING)
    trades("AAPL")


def test_what_tws_does_not_know_changes_nothing(live: IbkrRig) -> None:
    works(live, "AAPL", "BRK.B", "MSFT")
    says(live, "AAPL", HALTED)
    halt = is_halted("AAPL")
    says(live, "AAPL", UNKNOWN)
    says(live, "BRK.B", UNKNOWN)
    all_is_heard(live, "MSFT")
    assert halts("AAPL")[0] == halt
    assert not halts("BRK.B")
    says(live, "BRK.B", HALTED)
    is_halted("BRK.B")


def test_what_people_and_other_sources_told_is_left_alone(live: IbkrRig) -> None:
    works(live, "AAPL", "MSFT")
    since = datetime.now(UTC) - timedelta(minutes=1)
    for source in ("", "alpaca"):
        MarketHalt.objects.create(symbol="AAPL", start_at=since, reason="news", source=source)
    says(live, "AAPL", TRADING)
    says(live, "AAPL", HALTED)
    is_halted("AAPL")
    says(live, "AAPL", TRADING)
    trades("AAPL")
    rest = MarketHalt.objects.filter(symbol="AAPL", end_at=None).order_by("source")
    assert [(row.source, row.start_at) for row in rest] == [("", since), ("alpaca", since)]


def test_a_lost_connection_changes_nothing_and_the_next_one_tells(live: IbkrRig) -> None:
    works(live, "AAPL", "MSFT", "TSLA")
    says(live, "AAPL", HALTED)
    says(live, "MSFT", HALTED)
    first, second = is_halted("AAPL"), is_halted("MSFT")
    before = version_of(first)
    live.tws.do("down")
    live.context.in_state("DOWN")
    says(live, "MSFT", TRADING)
    assert (halts("AAPL")[0], halts("MSFT")[0]) == (first, second)
    live.tws.do("up")
    watches(live, "AAPL", "MSFT", "TSLA")
    trades("MSFT")
    all_is_heard(live, "TSLA")
    assert halts("AAPL")[0] == first
    assert version_of(first) == before, "what TWS repeats is not written again"


def test_data_that_tws_lost_are_asked_for_again(live: IbkrRig) -> None:
    works(live, "AAPL", "MSFT")
    live.tws.do("lose_data")
    watches(live, "AAPL", "MSFT")
    all_is_heard(live, "MSFT")


def test_a_halt_is_heard_of_until_it_is_over(live: IbkrRig) -> None:
    works(live, "AAPL", "MSFT")
    says(live, "AAPL", HALTED)
    is_halted("AAPL")
    Order.objects.update(status=OrderStatus.CANCELLED, finished_at=datetime.now(UTC))
    watches(live, "AAPL")
    says(live, "AAPL", TRADING)
    trades("AAPL")
    watches(live)


def test_orders_that_tws_does_not_work_are_not_asked_about(live: IbkrRig) -> None:
    live_order("MSFT", account="U999")
    works(live, "AAPL")


def test_a_symbol_that_is_refused_is_told_once_and_trading_goes_on(live: IbkrRig) -> None:
    refused = [354, "Requested market data is not subscribed."]
    live.tws.do("set", refused_data={"QQQ": refused})
    live_order("QQQ")
    works(live, "AAPL")
    gateway = live.context.gateways[-1]

    def asked() -> int:
        return sum(line["fields"][4] == "QQQ" for line in live.tws.log(SUBSCRIBE))

    def complaints() -> int:
        lines = gateway.output().splitlines()
        return sum("TWS reports no trading halts" in line and "QQQ" in line for line in lines)

    wait_for(lambda: complaints() == 1, SOON, "the refusal in the log")
    before = asked()
    live.tws.do("cut")
    wait_for(lambda: asked() == before + 1, SOON, "the next connection to ask once more")
    watches(live, "AAPL")
    all_is_heard(live, "AAPL")
    live.placed()
    assert complaints() == 1
    assert asked() == before + 1
    assert not halts("QQQ")


def test_no_more_symbols_than_there_are_lines_the_oldest_orders_first(live: IbkrRig) -> None:
    oldest = live_order("NVDA")
    for symbol in ("AAPL", "MSFT", "TSLA", "GOOGL"):
        live_order(symbol)
    gateway = live.context.gateways[-1]

    def named(symbol: str) -> int:
        lines = gateway.output().splitlines()
        return sum("too many symbols" in line and symbol in line for line in lines)

    wait_for(lambda: named("GOOGL"), SOON, "the log to name what has no line")
    watches(live, "NVDA", "AAPL", "MSFT")
    oldest.delete()
    watches(live, "AAPL", "MSFT", "TSLA")
    assert (named("TSLA"), named("GOOGL"), named("NVDA")) == (1, 1, 0)


@pytest.mark.skipif(not IB_ASYNC.is_dir(), reason=f"{IB_ASYNC}: make test installs it")
def test_the_other_client_library_hears_the_same(live: IbkrRig) -> None:
    live.context.gateways[-1].stop()
    path = os.pathsep.join(filter(None, [str(IB_ASYNC), os.environ.get("PYTHONPATH")]))
    live.context.start(PYTHONPATH=path, IBKR__LIBRARY="ib_async")
    works(live, "AAPL")
    says(live, "AAPL", PAUSED)
    is_halted("AAPL")
    says(live, "AAPL", TRADING)
    trades("AAPL")
