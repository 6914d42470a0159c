"""docs/operations.md has every page and metric, in the words that the service uses."""

import re

import pytest

from deepstack.admin_site import GROUPS
from deepstack.config import ROOT

pytestmark = pytest.mark.any_date

PAGE = (ROOT / "docs" / "operations.md").read_text()
SERIES = re.compile(r"`(deepstack_[a-z_]+)`")


def test_every_list_of_the_navigation_is_described() -> None:
    first = "\n".join(line.split("|")[1] for line in PAGE.splitlines() if line.startswith("| "))
    titles = {page.title for pages in GROUPS.values() for page in pages}
    missing = {title for title in titles if not re.search(rf"\b{title}\b", first, re.I)}
    assert missing == set()


def test_every_metric_answers_a_question() -> None:
    """That docs/metrics.md knows all of them is shown where they are served."""
    assert set(SERIES.findall(PAGE)) == set(
        SERIES.findall((ROOT / "docs" / "metrics.md").read_text())
    )
