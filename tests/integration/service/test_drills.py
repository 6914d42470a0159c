"""One of the drills, whole: `make drill` plays all of them."""

import pytest

from tests.long_run import played

pytestmark = pytest.mark.any_date

PATIENCE = 400.0  # seconds; on an idle machine two minutes will do


@pytest.mark.timeout(PATIENCE + 60)
def test_a_machine_is_lost_and_the_stand_by_goes_on_with_its_orders() -> None:
    code, output = played("tests.drills", "machine", patience=PATIENCE)
    assert "nothing lost, nothing twice" in output, output
    # How long it takes is the machine's business; on a busy one later than promised.
    assert code == 0 or "but LATE" in output, output
