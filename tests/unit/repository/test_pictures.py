"""The pictures of the documentation, and the pen that draws them."""

from xml.etree import ElementTree

import pytest

from benchmarks.svg import HEIGHT, WIDTH, Axis, Curve, picture
from deepstack.config import ROOT
from execution.domain.algorithms.registry import ALGOS

pytestmark = pytest.mark.any_date

DOCS = ROOT / "docs"
SVG = "{http://www.w3.org/2000/svg}"


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


def test_curves_stay_in_their_frame_and_words_are_escaped() -> None:
    axis = Axis(0, 10, [(0, "0"), (10, "10 & more")])
    curves = [
        Curve("a < b", "#123456", [(0, 0), (10, 10)], stepped=True),
        Curve("dots", "#123456", [(5, 5)], dots=True),
    ]
    root = ElementTree.fromstring(picture("T", "s", curves, axis, axis))  # noqa: S314
    step = next(each for each in root.iter(f"{SVG}path") if "V" in each.attrib["d"])
    assert step.attrib["d"] == f"M70.0 {HEIGHT - 34:.1f}H{WIDTH - 20:.1f}V64.0"
    [dot] = [each for each in root.iter(f"{SVG}circle") if each.attrib["cy"] != "51"]
    assert (float(dot.attrib["cx"]), float(dot.attrib["cy"])) == (405, 180)
    assert {"a < b", "10 & more"} <= {each.text for each in root.iter(f"{SVG}text")}
