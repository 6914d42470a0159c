"""Trading time and its row."""

from collections.abc import Iterable
from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from execution.market import clock
from execution.models import MarketClock
from tests.integration.market.test_replay import at

pytestmark = pytest.mark.django_db


@pytest.fixture
def real_time() -> Iterable[None]:
    clock.forget()
    yield
    clock.forget()


@pytest.mark.usefixtures("real_time")
def test_trading_time_is_the_real_time_without_a_row() -> None:
    before = timezone.now()

    assert before <= clock.now() <= timezone.now()
    assert clock.real_time_of(before) == before
    assert clock.speed() == 1


@pytest.mark.usefixtures("real_time")
def test_trading_time_runs_from_its_anchor() -> None:
    clock.start_clock(at("10:00"), speed=60)
    row = MarketClock.objects.get()

    assert clock.speed() == 60
    before = timezone.now()
    now = clock.now()
    after = timezone.now()
    assert (before - row.real_anchor) * 60 <= now - at("10:00") <= (after - row.real_anchor) * 60
    assert clock.real_time_of(at("10:30")) == row.real_anchor + timedelta(seconds=30)
    clock.start_clock(at("11:00"), speed=2)
    assert MarketClock.objects.get().anchor == at("11:00")
    assert clock.speed() == 2


@pytest.mark.usefixtures("real_time")
@pytest.mark.parametrize(
    ("anchor", "speed"),
    [
        (at("10:00"), 0),
        (at("10:00"), -1),
        (at("10:00"), float("nan")),
        (at("10:00"), float("inf")),
        (at("10:00").replace(tzinfo=None), 1),
    ],
)
def test_a_clock_that_cannot_run_is_refused(anchor: datetime, speed: float) -> None:
    with pytest.raises(ValueError, match=r"anchor|speed"):
        clock.start_clock(anchor, speed)

    assert not MarketClock.objects.exists()
