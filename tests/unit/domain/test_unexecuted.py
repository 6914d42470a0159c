"""The reason with which an order ends names what kept most of its shares from being executed."""

import pytest

from execution.domain.lifecycle import SliceStatus as S
from execution.domain.unexecuted import EndedSlice, dominating, sentence

MARGIN = "201: Order rejected - reason: margin"
CAP = "PARTICIPATION_CAP: cap=0.1, allowed=0, wanted=50"


def ended(status: S, reason: str = "", *, filled: int = 0, **more: object) -> EndedSlice:
    given = {"planned": 100, "sent": status != S.SKIPPED} | more
    return EndedSlice(status, reason, filled=filled, **given)  # type: ignore[arg-type]


def refused(reason: str = MARGIN) -> EndedSlice:
    return ended(S.REJECTED, reason)


@pytest.mark.parametrize(
    ("slices", "code", "said"),
    [
        ([refused()] * 3, "REFUSED", f"300 of 300 not executed: refused by the broker ({MARGIN})"),
        (
            [refused(), refused("110: tick"), refused(), ended(S.SKIPPED, "WINDOW_OVER")],
            "REFUSED",
            f"400 of 400 not executed, most of it: refused by the broker ({MARGIN})",
        ),
        (
            [ended(S.CANCELLED, "BROKER_CANCELLED: 202: Order Canceled")],
            "BROKER_CANCELLED",
            "100 of 100 not executed: cancelled by the broker, unasked (202: Order Canceled)",
        ),
        (
            [ended(S.SKIPPED, "QUOTE_MISSING: symbol=AAPL")],
            "QUOTE_MISSING",
            (
                "100 of 100 not executed: held back as the market has no quote for the symbol"
                " (QUOTE_MISSING)"
            ),
        ),
        (
            [ended(S.SKIPPED, "WINDOW_OVER", held_back="TRADING_HALTED: scope=SYSTEM")],
            "TRADING_HALTED",
            (
                "100 of 100 not executed: held back as a trading state of the system, the account,"
                " the strategy or the symbol is HALTED (TRADING_HALTED)"
            ),
        ),
        (
            [ended(S.SKIPPED, "MISSED", held_back="BROKER_UNAVAILABLE: the gateway is DOWN")],
            "BROKER_UNAVAILABLE",
            "100 of 100 not executed: the broker could not be reached (the gateway is DOWN)",
        ),
        ([ended(S.SKIPPED, CAP)], "PARTICIPATION_CAP", None),
        ([ended(S.FILLED, filled=40, capped=True)], "PARTICIPATION_CAP", None),
        ([ended(S.SKIPPED, "WINDOW_OVER")], "WINDOW_OVER", None),
        ([ended(S.SKIPPED, "NEVER_ARRIVED", sent=True)], "NEVER_ARRIVED", None),
        ([ended(S.CANCELLED)], "NOT_FILLED", None),
        ([ended(S.CANCELLED, filled=60), refused()], "REFUSED", None),
        ([ended(S.CANCELLED, filled=10), ended(S.SKIPPED, CAP, planned=50)], "NOT_FILLED", None),
        # What was planned anew, or was another slice's, is nobody's cause.
        ([ended(S.CANCELLED, "the order was amended"), refused()], "REFUSED", None),
        ([ended(S.SKIPPED, "AHEAD_OF_CURVE")] * 3 + [refused()], "REFUSED", None),
    ],
)
def test_the_dominating_cause(slices: list[EndedSlice], code: str, said: str | None) -> None:
    rest = sum(each.planned - each.filled for each in slices)
    cause = dominating(slices, rest=rest)
    assert cause is not None
    assert cause.code == code
    if said:
        assert sentence(rest, rest, cause) == said


def test_a_limit_that_was_not_reached_is_named_with_its_price() -> None:
    cause = dominating([ended(S.CANCELLED)], rest=100, limit="149.5")
    assert cause is not None
    assert (cause.code, cause.shares) == ("LIMIT_NOT_REACHED", 100)
    assert "149.5" in cause.words


def test_an_order_that_a_person_cancelled_says_who() -> None:
    cause = dominating([refused()], rest=70, cancelled="cancelled by kim")
    assert sentence(70, 100, cause) == "70 of 100 not executed: cancelled by kim"


def test_an_order_without_a_known_cause_still_says_how_much() -> None:
    assert dominating([], rest=5) is None
    assert sentence(5, 10, None) == "5 of 10 not executed"
