import pytest

from execution.domain.impact_models import almgren_impact, square_root_impact

IBM = {"average_daily_volume": 6.561e6, "shares_outstanding": 1728e6, "daily_volatility": 0.0157}
DRI = {"average_daily_volume": 1.929e6, "shares_outstanding": 168e6, "daily_volatility": 0.0226}


@pytest.mark.parametrize(
    ("stock", "days", "permanent", "temporary", "realised"),
    [
        # The table of the paper: 10 % of the daily volume, in a tenth, a fifth and half a day.
        (IBM, 0.1, 19.860, 22.294, 32.224),
        (IBM, 0.2, 19.860, 14.709, 24.638),
        (IBM, 0.5, 19.860, 8.488, 18.418),
        (DRI, 0.1, 21.679, 32.092, 42.931),
        (DRI, 0.2, 21.679, 21.173, 32.012),
        (DRI, 0.5, 21.679, 12.218, 23.058),
    ],
)
def test_almgren_2005(stock, days, permanent, temporary, realised):
    impact = almgren_impact(quantity=stock["average_daily_volume"] / 10, days=days, **stock)
    assert round(impact.permanent_bps, 3) == permanent
    assert round(impact.temporary_bps, 3) == temporary
    assert round(impact.realised_bps, 3) == realised


@pytest.mark.parametrize(("percent", "peak"), [(1, 20.00), (5, 44.72), (10, 63.25)])
def test_square_root_law_at_two_percent_volatility(percent, peak):
    impact = square_root_impact(quantity=percent, average_daily_volume=100, daily_volatility=0.02)
    assert round(impact.peak_bps, 2) == peak
    assert impact.average_bps == pytest.approx(impact.peak_bps * 2 / 3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"quantity": 0}, "quantity = 0"),
        ({"days": -1}, "days = -1"),
        ({"average_daily_volume": float("nan")}, "average_daily_volume = nan"),
        ({"daily_volatility": float("inf")}, "daily_volatility = inf"),
    ],
)
def test_refuses_a_wrong_argument(changes, message):
    with pytest.raises(ValueError, match=message):
        almgren_impact(**{"quantity": 1, "days": 1, **IBM, **changes})
