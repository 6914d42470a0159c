"""What counts as a difference between our records and the broker's, and how it is said."""

from datetime import timedelta
from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execution.domain import reconciliation
from execution.domain.reconciliation import Child, Kind, Open, Stranger

HUNDRED = D(100)


@pytest.mark.parametrize(
    ("before", "after", "beside", "theirs", "gaps"),
    [
        pytest.param({}, {}, {}, {}, {}, id="nothing anywhere"),
        pytest.param({"A": 5}, {"A": 5}, {}, {"A": 5}, {}, id="the same"),
        pytest.param({"A": 5}, {"A": 5}, {}, {"A": 8}, {"A": "3"}, id="more there"),
        pytest.param({"A": 5}, {"A": 5}, {}, {}, {"A": "-5"}, id="none there"),
        pytest.param({}, {}, {}, {"A": -2}, {"A": "-2"}, id="a short that is not ours"),
        pytest.param({"A": 5}, {"A": 5}, {"A": 3}, {"A": 8}, {}, id="held before"),
        pytest.param({}, {}, {"B": 3}, {}, {"B": "-3"}, id="what was held before is gone"),
        pytest.param({"A": 5}, {"A": 9}, {}, {"A": 7}, {}, id="bought meanwhile"),
        pytest.param({"A": 9}, {"A": 5}, {}, {"A": 7}, {}, id="sold meanwhile"),
        pytest.param({"A": 5}, {"A": 9}, {}, {"A": 12}, {"A": "3"}, id="more than meanwhile"),
        pytest.param({"A": 0}, {"A": 0}, {}, {}, {}, id="bought and sold again"),
    ],
)
def test_positions(
    before: dict[str, int],
    after: dict[str, int],
    beside: dict[str, int],
    theirs: dict[str, int],
    gaps: dict[str, str],
) -> None:
    found = reconciliation.positions(before, after, beside, theirs)
    assert {each.subject: each.gap for each in found} == gaps


@given(
    before=st.integers(-100, 100),
    after=st.integers(-100, 100),
    beside=st.integers(-100, 100),
    part=st.fractions(0, 1),
)
def test_what_happened_while_the_broker_was_asked_is_no_difference(
    before: int, after: int, beside: int, part: object
) -> None:
    theirs = beside + before + int((after - before) * part)  # type: ignore[operator]
    told = {"A": theirs} if theirs else {}
    assert reconciliation.positions({"A": before}, {"A": after}, {"A": beside}, told) == []


@pytest.mark.parametrize(
    ("before", "after", "beside", "theirs", "gap"),
    [
        (D(0), D(0), D(0), D(0), None),
        (D(-500), D(-500), D(1000), D(500), None),
        (D(-500), D(-500), D(1000), D(400), None),  # within the tolerance
        (D(-500), D(-500), D(1000), D("399.99"), "-100.01"),
        (D(-500), D(-500), D(1000), D("600.01"), "100.01"),
        (D(0), D(-500), D(1000), D(700), None),
        (D(0), D(-500), D(1000), D(1200), "200.00"),
    ],
)
def test_cash(before: D, after: D, beside: D, theirs: D, gap: str | None) -> None:
    found = reconciliation.cash(before, after, beside, theirs, HUNDRED)
    assert [each.gap for each in found] == ([gap] if gap else [])


WORKING = Child("c1", "AAPL", "WORKING", leaves=60, ended=False)
ENDED = Child("c2", "AAPL", "CANCELLED", leaves=0, ended=True)


def there(name: str, leaves: int) -> Open:
    return Open(name, f"broker-{name}", "AAPL", "BUY", leaves)


@pytest.mark.parametrize(
    ("child", "shown", "words"),
    [
        (WORKING, [there("c1", 60)], None),
        (WORKING, [], "is WORKING here and not open at the broker"),
        (WORKING, [there("c1", 50)], "60 shares of a child are open here, 50 at the broker"),
        (ENDED, [], None),
        (ENDED, [there("c2", 10)], "is CANCELLED here and still open at the broker"),
    ],
)
def test_children(child: Child, shown: list[Open], words: str | None) -> None:
    found = reconciliation.orders([child], shown)
    assert [each.kind for each in found] == ([Kind.ORDER] if words else [])
    if words:
        assert words in found[0].words


def test_orders_of_others_are_told_by_the_brokers_id() -> None:
    unnamed = Open("", "broker-7", "MSFT", "SELL", 1_200)
    (found,) = reconciliation.external_orders(["c1"], [there("c1", 60), unnamed])
    assert (found.kind, found.subject, found.symbol) == (Kind.EXTERNAL_ORDER, "broker-7", "MSFT")
    assert "SELL 1,200 MSFT is open at the broker and not ours" in found.words
    assert "left alone" in found.words


@pytest.mark.parametrize(
    ("ours", "theirs", "words"),
    [
        (0, 0, None),
        (40, 40, None),
        (40, 60, "40 shares of a child are booked, the broker reports 60"),
        (40, None, "40 shares of a child are booked, the broker does not know the order"),
    ],
)
def test_fills(ours: int, theirs: int | None, words: str | None) -> None:
    found = reconciliation.fills("c1", "AAPL", ours, theirs)
    assert (found is None) == (words is None)
    assert found is None or str(words) in found.words


@pytest.mark.parametrize(
    ("seconds", "subjects"),
    [(0, []), (2, []), (-2.1, ["worrying"]), (10, ["worrying"]), (10.1, ["stopping"])],
)
def test_clock(seconds: float, subjects: list[str]) -> None:
    found = reconciliation.clock(timedelta(seconds=seconds))
    assert [each.subject for each in found] == subjects


def test_the_words_of_a_position_name_every_number() -> None:
    (found,) = reconciliation.positions({"A": 1_000}, {"A": 1_000}, {"A": 150}, {"A": 1_350})
    assert (found.ours, found.theirs) == ("1,150", "1,350")
    assert found.words == (
        "A: the broker has 1,350 shares, our fills make 1,000 beside 150 held before: +200"
    )


@pytest.mark.parametrize(
    ("symbol", "named"),
    [
        pytest.param("GOOG", ["a-0 (240 executed)", "b-0 (1,000 executed)"], id="its own"),
        pytest.param("TSLA", ["b-0 (1,000 executed)"], id="one whose symbol is not told"),
    ],
)
def test_a_break_names_the_unknown_orders_of_its_own_symbol(symbol: str, named: list[str]) -> None:
    found = [Stranger("b-0", "", 1_000), Stranger("a-0", "GOOG", 240)]
    words = reconciliation.strangers(found, symbol)
    assert words.endswith(f"not in this database: {', '.join(named)}")
    assert reconciliation.strangers(found[1:], "TSLA") == ""
