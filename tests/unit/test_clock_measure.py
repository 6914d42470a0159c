"""How far our clock is from the database's, as far as a question and its answer can tell."""

from datetime import UTC, datetime, timedelta

import pytest

from execution.heartbeat import ahead_of

NOON = datetime(2026, 3, 2, 16, 0, tzinfo=UTC)


def seconds(number: float) -> datetime:
    return NOON + timedelta(seconds=number)


@pytest.mark.parametrize(
    ("theirs", "took", "ahead"),
    [
        pytest.param(0.1, 0.2, 0.0, id="the same clock"),
        pytest.param(0.0, 3.0, 0.0, id="an answer that was slow to come"),
        pytest.param(3.0, 3.0, 0.0, id="a question that was slow to leave"),
        pytest.param(-8.0, 0.0, 8.0, id="ours is ahead"),
        pytest.param(8.0, 0.0, -8.0, id="ours is behind"),
        pytest.param(-8.0, 3.0, 8.0, id="ahead, and slow"),
        pytest.param(8.0, 3.0, -5.0, id="behind by what the time between cannot explain"),
    ],
)
def test_only_what_the_time_between_cannot_explain(
    theirs: float, took: float, ahead: float
) -> None:
    found = ahead_of(seconds(theirs), before=NOON, after=seconds(took))
    assert found == pytest.approx(ahead)
