"""The pictures of the documentation, and the charts they are."""

import re
from xml.etree import ElementTree

import pytest

from benchmarks.chart import Axis, Curve, svg
from deepstack.config import ROOT
from execution.domain.algorithms.registry import ALGOS

pytestmark = pytest.mark.any_date

DOCS = ROOT / "docs"
SVG = "{http://www.w3.org/2000/svg}"
AXIS = Axis(0, 10, [(0, "0"), (10, "10 & more")])
CURVES = [
    Curve("a < b", "#123456", [(0, 0), (4, 7), (10, 10)], stepped=True),
    Curve("dots", "#654321", [(5, 5), (6, 6)], dots=True),
]


@pytest.mark.parametrize("algorithm", ALGOS)
def test_every_algorithm_is_described_with_a_picture(algorithm: str) -> None:
    text = (DOCS / "algorithms.md").read_text()
    section = text.split(f"\n## {algorithm}")[1].split("\n## ")[0]
    assert "Parameters:" in section
    assert f"(pictures/{algorithm.lower()}.svg)" in section
    root = ElementTree.parse(DOCS / "pictures" / f"{algorithm.lower()}.svg").getroot()  # noqa: S314
    title = root.find(f"{SVG}title")
    assert title is not None
    assert (title.text or "").startswith(f"{algorithm}: BUY ")


def test_a_chart_has_its_words_as_text_and_nothing_of_the_day_it_was_drawn() -> None:
    drawn = svg("T", "s", CURVES, AXIS, AXIS)
    assert drawn == svg("T", "s", CURVES, AXIS, AXIS)
    root = ElementTree.fromstring(drawn)  # noqa: S314
    words = {each.text for each in root.iter(f"{SVG}text")}
    assert {"T", "s", "a < b", "dots", "10 & more"} <= words
    assert "date" not in drawn.lower().replace("update", "")


def test_a_stepped_curve_holds_its_value_and_dots_stand_alone() -> None:
    root = ElementTree.fromstring(svg("T", "s", CURVES, AXIS, AXIS))  # noqa: S314
    paths = [each.attrib for each in root.iter(f"{SVG}path")]
    curve = max((each["d"] for each in paths if "#123456" in each.get("style", "")), key=len)
    heights = re.findall(r"[ML] \S+ (\S+)", curve)
    assert len(heights) == 5  # to the right, then up, twice
    assert heights[0] == heights[1]
    assert heights[2] == heights[3]
    dots = [each for each in root.iter(f"{SVG}use") if "#654321" in each.get("style", "")]
    assert len(dots) >= len(CURVES[1].points)
