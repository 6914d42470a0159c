"""Figures and charts of the cost report, whatever the orders were."""

from datetime import date, timedelta
from decimal import Decimal
from xml.etree import ElementTree

import pytest

from monitoring.cost_report import charts, figures
from monitoring.cost_report.estimates import Sums
from monitoring.cost_report.figures import Cell
from monitoring.cost_report.groups import Group

D = Decimal
MONDAY = date(2026, 3, 2)
VALUE = D(100_000)


def group(*costs: float, **known: Sums) -> Group:
    """Orders of $100,000 each that cost so many bps against arrival and of shortfall."""
    sums = Sums.of((D(str(cost)) * VALUE / 10_000, VALUE) for cost in costs)
    return Group(
        orders=len(costs),
        executed=len(costs),
        shares=1000 * len(costs),
        ordered=1000 * len(costs),
        value=len(costs) * VALUE,
        sums={"arrival": sums, "shortfall": sums, "trading": sums, **known},
        spread=dict.fromkeys(range(len(costs)), 1),
    )


@pytest.mark.parametrize(
    ("what", "costs", "cell"),
    [
        ("nothing known", (), Cell("n/a")),
        ("a cost without an interval", (3.2,), Cell("+3.2", "", "+")),
        ("a gain", (-3.2, -3.2), Cell("-3.2", "", "-")),
        ("rounded to zero", (-0.04,), Cell("0.0", "", "")),
        ("with its interval", (1, 2, 3, 4, 5), Cell("+3.0", "± 2.0", "+")),
    ],
)
def test_a_measure_as_it_is_read(what: str, costs: tuple[float, ...], cell: Cell) -> None:
    assert figures.measured("arrival", group(*costs)) == cell, what


@pytest.mark.parametrize(
    ("value", "text"),
    [("0", "$0"), ("999.5", "$1,000"), ("-12", "$-12"), ("999999999", "$999,999,999"),
     ("44154000000", "$44,154m")],
)  # fmt: skip
def test_money_is_rounded(value: str, text: str) -> None:
    assert figures.money(D(value)) == text


GROUPS = {
    "nothing": group(),
    "one order": group(3),
    "orders alike": group(3, 3, 3),
    "free of cost": group(0, 0, 0),
    "all gains": group(-3, -8, -1),
    "tiny": group(1e-7, -1e-7, 2e-7),
    "huge": group(1e7, -1e6, 3),
}


@pytest.mark.parametrize("name", GROUPS)
def test_charts_are_drawn_within_their_frame(name: str) -> None:
    found = GROUPS[name]
    days = {MONDAY + timedelta(days=day): found for day in range(40)}
    drawn = [
        charts.distribution(found),
        charts.parts(found),
        charts.by_day(days),
        charts.by_group([(f"symbol {number}", found) for number in range(30)]),
    ]
    for text in drawn:
        root = ElementTree.fromstring(text)  # noqa: S314  our own
        width, height = (float(edge) for edge in root.attrib["viewBox"].split()[2:])
        for shape in root.iter("rect"):
            left, top = float(shape.attrib["x"]), float(shape.attrib["y"])
            assert 0 <= left <= left + float(shape.attrib["width"]) <= width
            assert 0 <= top <= top + float(shape.attrib["height"]) <= height
        for dot in root.iter("circle"):
            assert 0 <= float(dot.attrib["cx"]) <= width


def test_the_parts_of_the_shortfall_are_named_below_their_bars() -> None:
    root = ElementTree.fromstring(charts.parts(group(3)))  # noqa: S314  our own
    words = [element.text or "" for element in root.iter() if element.tag.endswith("text")]
    named = ["Delay", "Trading", "Opportunity", "Fees", "Shortfall"]
    assert [word for word in words if word.startswith(tuple(named))] == named


def test_charts_of_nothing_are_empty() -> None:
    for text in (charts.by_day({}), charts.by_group([])):
        assert not list(ElementTree.fromstring(text).iter("circle"))  # noqa: S314


def test_names_are_text_and_nothing_else() -> None:
    drawn = charts.by_group([("<script>alert(1)</script>", group(3)), ("A&B", group(4))])
    assert "<script" not in drawn
    names = [each.text for each in ElementTree.fromstring(drawn).iter("text")]  # noqa: S314
    assert "A&B" in names


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0, 4, [0, 1, 2, 3, 4]),
        (-3, 9, [-5, 0, 5, 10]),
        (0, 0.1, [0, 0.05, 0.1]),
        (-1.4, 1.1, [-2, -1, 0, 1, 2]),
    ],
)
def test_axes_have_round_numbers(low: float, high: float, ticks: list[float]) -> None:
    assert list(charts._ticks(low, high)) == ticks
