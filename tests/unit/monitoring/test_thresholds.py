"""Each threshold of the alert rules is a setting, and each setting has an effect."""

from datetime import UTC, datetime
from decimal import Decimal

from deepstack.config import Config, Execution, Monitoring, Vwap
from monitoring.alerting import thresholds
from monitoring.clocks import Moment

NOON = datetime(2026, 3, 2, 16, 0, tzinfo=UTC)


def test_orders_that_follow_the_vwap_have_a_threshold_of_their_own() -> None:
    execution = Execution(
        vwap=Vwap(deviation_threshold=0.002), monitoring=Monitoring(vwap_deviation_threshold=0.03)
    )
    found = thresholds.of(Config(execution=execution), Moment(now=NOON, real_now=NOON))
    assert found.deviation_of_vwap_orders == Decimal("0.002")
    assert found.vwap_deviation == Decimal("0.03")
