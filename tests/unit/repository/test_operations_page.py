"""docs/operations.md tells of every page, alert and metric, in the words that the service uses."""

import re

import pytest

from deepstack.admin_site import GROUPS
from deepstack.config import ROOT
from monitoring.alerting.alert_kinds import ABOUT

pytestmark = pytest.mark.any_date

PAGE = (ROOT / "docs" / "operations.md").read_text()
SERIES = re.compile(r"`(deepstack_[a-z_]+)`")


def test_every_list_of_the_navigation_is_told() -> None:
    first = "\n".join(line.split("|")[1] for line in PAGE.splitlines() if line.startswith("| "))
    titles = {page.title for pages in GROUPS.values() for page in pages}
    missing = {title for title in titles if not re.search(rf"\b{title}\b", first, re.I)}
    assert missing == set()


def test_every_alert_says_what_ends_it_and_what_to_do_as_the_service_does() -> None:
    told = re.findall(r"^\| `([A-Z_]+)` \| (.+) \| (.+) \|$", PAGE, re.M)
    assert told == [(kind, about.ends, about.remedy) for kind, about in ABOUT.items()]


def test_every_metric_answers_a_question() -> None:
    """That docs/metrics.md knows all of them is shown where they are served."""
    assert set(SERIES.findall(PAGE)) == set(
        SERIES.findall((ROOT / "docs" / "metrics.md").read_text())
    )
