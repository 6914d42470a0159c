from collections.abc import Iterator

import pytest

from execution.market import clock
from execution.risk import marks
from tests.brokers.alpaca_rig import AlpacaRig, Peer, forget_redis
from tests.integration.monitoring.rows import NOON


@pytest.fixture(autouse=True)
def marks_are_read_anew() -> None:
    """What the test before has traded is not there any more."""
    marks.forget()


@pytest.fixture
def at_noon(request: pytest.FixtureRequest) -> Iterator[None]:
    """Trading time is NOON and runs on from there, for every thread of this process."""
    if not {"db", "transactional_db"} & set(request.fixturenames):
        request.getfixturevalue("db")
    clock.start_clock(NOON, 1.0)
    yield
    clock.forget()


@pytest.fixture(scope="session")
def alpaca_peers(servers: None) -> Iterator[list[Peer]]:
    """The peer that most tests share, if it still lives."""
    running: list[Peer] = []
    yield running
    for peer in running:
        peer.kill()


@pytest.fixture
def alpaca(
    alpaca_peers: list[Peer], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[AlpacaRig]:
    """The adapter before an empty peer; one that a test froze or killed makes way for another."""
    if not alpaca_peers:
        alpaca_peers.append(Peer(tmp_path_factory.mktemp("alpaca")))
    rig = AlpacaRig(alpaca_peers[0])
    yield rig
    forget_redis()
    if rig.spent:
        alpaca_peers.pop().kill()
