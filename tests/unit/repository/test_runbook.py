"""The runbook has a part for each kind of alert, and for none that is gone."""

import re

from deepstack.config import ROOT
from monitoring.alerting.alert_kinds import AlertKind


def test_each_kind_of_alert_says_what_it_means_where_to_look_and_what_to_do() -> None:
    parts = re.split(r"^## ", (ROOT / "docs" / "runbook.md").read_text(), flags=re.M)[1:]
    told = {part.split("\n", 1)[0]: part for part in parts}
    assert set(told) - {"VERIFY"} == set(AlertKind)
    assert [name for name, part in told.items() if "- Look: " not in part] == []
    assert [name for name, part in told.items() if "- Do: " not in part] == []
