"""Events in words: short for a trader, and nothing that was written down is lost."""

from typing import Any

import pytest

from execution.orders.event_text import SENTENCES, facts, headline, sentence

SENDING = {
    "slice": 2,
    "client_order_id": "DS-1-2",
    "quantity": 1400,
    "limit_price": "125.380000",
    "attempt": 1,
    "size": "ON_CURVE",
    "quote": {"bid": "125.240000", "ask": "125.261500", "at": "2026-03-02T16:00:00+00:00"},
    "checks": ["quantity", "notional"],
}
ORDER = {"quantity": 4000, "symbol": "GOOGL", "algorithm": "VWAP", "slices": 10}
FILLED = {"slice": 0, "quantity": 5000, "price": "1.500000"}
ASKED = {"by": "ann", "via": "API"}
WHY = {"by": "ann", "reason": "news"}
CASES = [
    ("ORDER_ACCEPTED", ORDER, "SELL 4,000 GOOGL accepted, algo VWAP, slices: 10"),
    (
        "ORDER_ACCEPTED",
        ORDER | ASKED,
        "SELL 4,000 GOOGL accepted, algo VWAP, slices: 10, by ann, via API",
    ),
    ("ORDER_DENIED", {"code": "HALTED"}, "denied by us: HALTED"),
    ("ORDER_DENIED", {"code": "HALTED"} | ASKED, "denied by us: HALTED, asked by ann, via API"),
    ("ORDER_STATUS", {"from": "ACCEPTED", "to": "WORKING"}, "order ACCEPTED -> WORKING"),
    ("ORDER_STATUS", {"from": "WORKING", "to": "PAUSED"} | WHY, "order WORKING -> PAUSED: news"),
    ("ORDER_REASON", {"reason": "no rest"}, "the order ended: no rest"),
    (
        "ORDER_AMENDED",
        WHY | {"quantity": 5000, "end_at": "2026-03-02T16:00:00+00:00", "slices": 9},
        "amended by ann to 5,000 until 2026-03-02 11:00:00 ET, slices: 9: news",
    ),
    (
        "BROKER_REJECTED",
        {"slice": 1, "code": "201", "text": "no margin\x1b[2J\n2026-03-02 order FILLED"},
        "slice 1: refused by the broker, 201: no margin [2J 2026-03-02 order FILLED",
    ),
    ("CANCEL_REQUESTED", {"by": "{0}"}, "cancel requested by {0}"),
    ("CANCEL_REQUESTED", WHY, "cancel requested by ann: news"),
    (
        "TRADING_STATE",
        WHY | {"scope": "SYSTEM", "state": "HALTED"},
        "SYSTEM set to HALTED by ann: news",
    ),
    (
        "POSITION_BREAK_ACCEPTED",
        WHY | {"theirs": 1200, "ours": 0, "symbol": "MSFT"},
        "ann accepts 1,200 MSFT at the broker where we had 0: news",
    ),
    (
        "RESIDUAL_PLANNED",
        {"policy": "EXTEND", "residual": 1200, "end_at": "2026-03-02T16:00:00Z"},
        "EXTEND: 1,200 shares are left, planned anew until 2026-03-02 11:00:00 ET",
    ),
    (
        "SHARES_RETURNED",
        {"shares": 1200, "until": "2026-03-02T16:00:00Z"},
        "1,200 shares return to the plan, until 2026-03-02 11:00:00 ET",
    ),
    (
        "SLICE_STATUS",
        {"slice": 3, "from": "QUEUED", "to": "SKIPPED", "reason": "MISSED"},
        "slice 3: QUEUED -> SKIPPED: MISSED",
    ),
    (
        "SLICES_CHANGED",
        {"slices": [0, 1, 2, 5, 7, 8], "to": "CANCELLED", "reason": ""},
        "slices 0-2 5 7-8 -> CANCELLED",
    ),
    ("SLICE_DEFERRED", {"slice": 1, "reason": "QUOTE_MISSING"}, "slice 1: not now: QUOTE_MISSING"),
    (
        "SLICE_SENDING",
        SENDING,
        "slice 2: SELL 1,400 @ >= 125.38, bid 125.24 / ask 125.2615, on curve",
    ),
    (
        "SLICE_SENDING",
        {"slice": 0, "quantity": 5, "limit_price": "9.99", "quote": None},
        "slice 0: SELL 5 @ >= 9.99",
    ),
    ("SLICE_RESENDING", {"slice": 1}, "slice 1: never arrived, sent again under the same id"),
    ("SLICE_REASON", {"slice": 1, "reason": "x"}, "slice 1: the broker says why it ended: x"),
    ("FILL", FILLED, "slice 0: 5,000 executed at 1.50"),
    ("LATE_FILL", FILLED, "slice 0: 5,000 executed at 1.50, after its end"),
    (
        "FILL_CORRECTED",
        FILLED,
        "slice 0: the broker corrects an execution to 5,000 at 1.50",
    ),
    (
        "FILL_CORRECTED",
        {**FILLED, "quantity": 0},
        "slice 0: the broker takes back an execution at 1.50, whole",
    ),
    ("FILL_CONFLICT", FILLED, "slice 0: a known execution came again as 5,000 at 1.50"),
    ("COMMISSION", {"slice": 0, "commission": "1.000000"}, "slice 0: commission 1.00"),
    (
        "BROKER_REJECTED",
        {"slice": 0, "code": "201", "text": "no margin"},
        "slice 0: refused by the broker, 201: no margin",
    ),
    ("OUTCOME_UNKNOWN", {"slice": 0}, "slice 0: its outcome is still unknown"),
    ("MISSING_AT_BROKER", {"slice": 0}, "slice 0: the broker does not know it any more"),
    ("SOMETHING_NEW", {"slice": 0}, "SOMETHING_NEW"),
    ("FILL", {"slice": 0}, "FILL"),
]


@pytest.mark.parametrize(("kind", "data", "said"), CASES)
def test_an_event_in_words(kind: str, data: dict[str, Any], said: str) -> None:
    assert headline(kind, data, "SELL") == said


def test_every_kind_has_a_case() -> None:
    assert set(SENTENCES) <= {kind for kind, _, _ in CASES}


def test_a_buyer_pays_at_most_the_limit() -> None:
    assert "BUY 1,400 @ <= 125.38" in headline("SLICE_SENDING", SENDING, "BUY")


def test_the_facts_are_what_the_headline_leaves_out() -> None:
    assert facts("SLICE_SENDING", SENDING) == {
        "client_order_id": "DS-1-2",
        "attempt": "1",
        "quote.at": "2026-03-02 11:00:00 ET",
        "checks": "quantity notional",
    }
    told = {"slice": 0, "a": {"b": 1}, "commission": None, "revision": 0}
    assert sentence("NEW", told, "BUY") == "NEW (slice 0, a.b 1, revision 0)"


@pytest.mark.parametrize("kind", SENTENCES)
def test_no_event_is_too_poor_to_be_told(kind: str) -> None:
    assert sentence(kind, {}, "BUY") == kind
    assert "precious" in sentence(kind, {"extra": "precious"}, "BUY")
