"""The runbook has a part for each kind of alert, in the words of the service, and no other."""

import re

import pytest

from deepstack.config import ROOT
from monitoring.alerting.alert_kinds import ABOUT, AlertKind
from monitoring.rehearsal.registry import SCENES

pytestmark = pytest.mark.any_date

SECTIONS = re.split(r"^## ", (ROOT / "docs" / "runbook.md").read_text(), flags=re.M)[1:]
# A part's name, and its text as one line without marks.
PARTS = {
    name: " ".join(text.replace("`", "").split())
    for name, text in (section.split("\n", 1) for section in SECTIONS)
}


def test_each_kind_of_alert_has_its_part() -> None:
    assert set(PARTS) - {"VERIFY", "SYMBOL_HALTED"} == set(AlertKind)


def test_each_scene_of_the_rehearsal_names_a_part() -> None:
    assert {scene.section for scene in SCENES.values()} <= set(PARTS)


@pytest.mark.parametrize("kind", AlertKind)
def test_a_part_says_what_it_means_when_it_is_over_where_to_look_and_what_to_do(
    kind: AlertKind,
) -> None:
    meaning, over, look, do = re.split(r" ?- (?=Over when|Look:|Do:)", PARTS[kind])
    assert meaning
    assert over == f"Over when {ABOUT[kind].ends}."
    assert look.removeprefix("Look: ")
    assert do.startswith(f"Do: {ABOUT[kind].remedy}")
