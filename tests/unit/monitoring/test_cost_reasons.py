"""Why an order was dear."""

from dataclasses import replace
from decimal import Decimal

import pytest

from monitoring.cost_report.reasons import Costs, reason

D = Decimal
# Bought as wanted: decided at 100, arrived at 100, executed at the market's VWAP.
BOUGHT = Costs(
    side=1,
    ordered=1000,
    shares=1000,
    decision=D(100),
    arrival=D(100),
    average=D(100),
    vwap=D(100),
    participation=D("0.08"),
    delay=D(0),
    trading=D(0),
    opportunity=D(0),
    fees=D(1),
)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param(
            {"arrival": D("100.20"), "delay": D(200), "vwap": D("100.20")},
            "the price moved +20.0 bps between the decision and arrival",
            id="delay",
        ),
        pytest.param(
            {"average": D("100.30"), "trading": D(300), "vwap": D("100.29")},
            "the market moved +29.0 bps while the order worked (its VWAP against arrival)",
            id="the market ran away",
        ),
        pytest.param(
            {"average": D("100.30"), "trading": D(300), "vwap": D("100.01")},
            "executed +29.0 bps from the market's VWAP, at 8.0% of its volume",
            id="our own prices",
        ),
        pytest.param(
            {"average": D("100.30"), "trading": D(300), "vwap": None, "participation": None},
            "executed +30.0 bps from arrival; VWAP not known",
            id="nobody knows the VWAP",
        ),
        pytest.param(
            {"side": -1, "average": D("99.70"), "trading": D(300), "vwap": D("99.99")},
            "executed +29.0 bps from the market's VWAP, at 8.0% of its volume",
            id="a sell below the VWAP",
        ),
        pytest.param(
            {"shares": 400, "opportunity": D(600)},
            "600 of 1,000 shares were not executed, and the price ran away",
            id="opportunity",
        ),
        pytest.param({"fees": D(5)}, "commissions of $5.00, $0.0050 a share", id="fees"),
        pytest.param(
            {"decision": None, "delay": None, "trading": None, "opportunity": None, "vwap": None},
            "commissions of $1.00, $0.0010 a share",
            id="nothing else is known",
        ),
    ],
)
def test_the_largest_part_is_told(changes: dict[str, object], said: str) -> None:
    assert reason(replace(BOUGHT, **changes)) == said


def test_the_parts_are_the_whole() -> None:
    costs = replace(
        BOUGHT, average=D("100.30"), vwap=D("100.12"), trading=D(300), delay=D(5), opportunity=D(7)
    )
    assert sum(costs.parts.values()) == D(5) + D(300) + D(7) + D(1)
