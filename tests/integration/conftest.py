from collections.abc import Iterator

import pytest

from execution.market import clock
from tests.integration.monitoring.rows import NOON


@pytest.fixture
def at_noon(request: pytest.FixtureRequest) -> Iterator[None]:
    """Trading time is NOON and runs on from there, for every thread of this process."""
    if not {"db", "transactional_db"} & set(request.fixturenames):
        request.getfixturevalue("db")
    clock.start_clock(NOON, 1.0)
    yield
    clock.forget()
