"""How many shares an order may have that goes by a share of the market's volume."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execution.domain.participation import Pace

ANY_VOLUME = st.floats(0, 1e9)
ANY_SHARE = st.floats(1e-6, 1)


@pytest.mark.parametrize(
    ("share", "cap", "traded", "ahead", "shares"),
    [
        pytest.param(0.1, 0.1, 0, 0, 0, id="nothing has traded"),
        pytest.param(0.1, 0.1, 1_009, 0, 100, id="a tenth, rounded down"),
        pytest.param(0.1, 0.1, 1_000, 400, 100, id="held to what has traded"),
        pytest.param(0.1, 0.2, 1_000, 400, 130, id="three quarters of what is expected count"),
        pytest.param(0.1, 0.125, 1_000, 400, 125, id="as far as the cap"),
        pytest.param(0.1, 0.125, 0, 400, 0, id="a forecast alone is no volume"),
    ],
)
def test_shares(share, cap, traded, ahead, shares):
    assert Pace(share, cap).shares(traded, ahead) == shares


@given(share=ANY_SHARE, cap=ANY_SHARE, traded=ANY_VOLUME, ahead=ANY_VOLUME)
def test_no_forecast_passes_the_cap(share, cap, traded, ahead):
    assert Pace(share, cap).shares(traded, ahead) <= cap * traded
