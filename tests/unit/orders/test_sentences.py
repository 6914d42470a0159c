"""Events in words: nothing that was written down is left out."""

from typing import Any

import pytest

from execution.orders.event_text import SENTENCES, sentence

CASES = [
    ("ORDER_STATUS", {"from": "ACCEPTED", "to": "WORKING"}, "order ACCEPTED -> WORKING"),
    (
        "SLICE_STATUS",
        {"slice": 3, "from": "QUEUED", "to": "SKIPPED", "reason": "MISSED"},
        "slice 3: QUEUED -> SKIPPED (reason MISSED)",
    ),
    (
        "SLICES_CHANGED",
        {"slices": [0, 1, 2, 5, 7, 8], "to": "CANCELLED", "reason": ""},
        "slices 0-2 5 7-8 -> CANCELLED",
    ),
    (
        "FILL",
        {"slice": 0, "quantity": 5, "price": "1.50", "commission": None, "revision": 0},
        "slice 0: 5 executed at 1.50 (revision 0)",
    ),
    ("SOMETHING_NEW", {"slice": 0, "a": {"b": 1}}, "SOMETHING_NEW (slice 0, a.b 1)"),
    ("FILL", {"slice": 0}, "FILL (slice 0)"),
    ("CANCEL_REQUESTED", {"by": "{0}"}, "cancel requested by {0}"),
]


@pytest.mark.parametrize(("kind", "data", "said"), CASES)
def test_an_event_in_words(kind: str, data: dict[str, Any], said: str) -> None:
    assert sentence(kind, data) == said


@pytest.mark.parametrize("kind", SENTENCES)
def test_no_event_is_too_poor_to_be_told(kind: str) -> None:
    assert sentence(kind, {}) == kind
    assert "precious" in sentence(kind, {"extra": "precious"})
