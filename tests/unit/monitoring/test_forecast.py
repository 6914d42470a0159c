from datetime import UTC, datetime, timedelta

import pytest

from monitoring.operations import forecast

START = datetime(2026, 3, 2, 15, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("word", "filled", "minutes", "expected"),
    [
        ("on pace", 500, 30, 60),
        ("ahead", 750, 30, 40),
        ("too slow for its window", 400, 30, None),
        ("slower than on average, as planned", 495, 30, 60),
        ("nothing filled", 0, 30, None),
        ("not begun", 0, -1, None),
        ("begins now", 10, 0, None),
        ("complete", 1_000, 30, 30),
    ],
)
def test_completion(word: str, filled: int, minutes: int, expected: int | None) -> None:
    found = forecast.completion(
        start=START,
        now=START + timedelta(minutes=minutes),
        end=START + HOUR,
        quantity=1_000,
        filled=filled,
        planned=500,
    )
    assert found == (None if expected is None else START + timedelta(minutes=expected)), word


@pytest.mark.parametrize(
    ("planned", "filled", "quantity", "share"),
    [(500, 400, 1_000, 0.1), (500, 500, 1_000, 0.0), (500, 600, 1_000, 0.0), (0, 0, 0, 0.0)],
)
def test_behind(planned: int, filled: int, quantity: int, share: float) -> None:
    assert forecast.behind(planned=planned, filled=filled, quantity=quantity) == share
