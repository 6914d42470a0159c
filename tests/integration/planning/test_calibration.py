"""What finished orders teach the cost estimates, from the command to the next price tag."""

import asyncio
import json
import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from deepstack.config import Config, current
from execution import context as contexts
from execution.context import Context
from execution.entry import acceptance
from execution.entry.preview import preview
from execution.models import Fill, Order, SlippageCalibration
from execution.planning import cost_calibration
from execution.slippage import SlippageEstimate, SlippageModel
from tests.integration.monitoring.rows import NOON, filled

pytestmark = pytest.mark.django_db

TRUTH = 0.16
ADV = 10_000_000
ASKED: dict[str, Any] = {
    "symbol": "AAPL",
    "side": "BUY",
    "quantity": 10_000,
    "decision_price": 150,
    "average_daily_volume": ADV,
    "algorithm": "TWAP",
}


@pytest.fixture(autouse=True)
def _by_the_guides_formula(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """It needs no volatility."""
    monkeypatch.setenv("EXECUTION__SLIPPAGE__MODEL", "guide")
    _forget()
    yield
    monkeypatch.undo()
    _forget()


def _forget() -> None:
    current.cache_clear()
    contexts.default.cache_clear()


def trade(count: int, *, truth: float = TRUTH, seed: int = 1, **changes: Any) -> None:
    """Orders of up to three hundredths of the daily volume within half an hour, bought at what the
    guide's formula expects with the coefficient `truth`, and at 1 bp of noise."""
    rng = random.Random(seed)
    for number in range(count):
        quantity = rng.randrange(10_000, 300_000)
        cost = 0.67 + truth * (quantity / ADV) ** 0.5 * 1e4 + rng.gauss(0, 1)
        began = NOON - timedelta(days=1) - timedelta(minutes=40 * number)
        price = Decimal(150) * (1 + Decimal(cost) / 10_000)
        filled(
            f"{price:.6f}",
            quantity=quantity,
            **{
                "average_daily_volume": ADV,
                "created_at": began,
                "start_at": began,
                "end_at": began + timedelta(minutes=30),
                "finished_at": began + timedelta(minutes=30),
                **changes,
            },
        )


def learn(*options: str) -> str:
    said = StringIO()
    call_command("calibrate_slippage", *options, "--by", "ann", stdout=said)
    return said.getvalue()


def context(**slippage: Any) -> Context:
    config = Config(execution={"slippage": slippage})  # type: ignore[arg-type]  # read by pydantic
    return replace(contexts.default(), config=config)


CALIBRATED = {"calibrated": True}


def estimate(**slippage: Any) -> dict[str, Any]:
    """But for the spread, which is of the moment."""
    seen = preview(ASKED, context(**slippage))["estimate"]
    return {name: seen[name] for name in ("impact_bps", "standard_error_bps", "basis")}


def test_the_command_fits_says_and_stores() -> None:
    trade(60)
    text = learn()

    row = SlippageCalibration.objects.get()
    found = row.coefficients["impact"]
    assert abs(found["value"] - TRUTH) < 2 * found["standard_error"]
    assert (row.symbol, row.broker, row.model, row.made_by) == ("", "paper", "guide", "ann")
    assert (row.orders, row.tested, row.adopted) == (60, 30, True)
    assert row.tested_error_bps is not None
    assert row.prior_tested_error_bps is not None
    assert row.tested_error_bps < row.prior_tested_error_bps
    assert "guide of all symbols on paper from 60 orders" in text
    assert f"{found['value']:.4g}" in text
    assert "out of sample" in text
    assert row.coverage is not None
    assert 0.9 < row.coverage < 1
    assert f"held in {row.coverage:.0%} of 200 simulated fits" in text
    assert 0 < found["prior_share"] < 0.01
    assert "set execution.slippage.calibrated to true" in text


def test_estimates_use_it_only_where_the_configuration_says_so() -> None:
    before = estimate()
    trade(60)
    learn()
    [row] = SlippageCalibration.objects.all()
    found = row.coefficients["impact"]

    assert estimate() == before
    assert before["standard_error_bps"] is None
    after = estimate(**CALIBRATED)
    unit = before["impact_bps"] / 0.1
    assert after["impact_bps"] == pytest.approx(found["value"] * unit, abs=1e-3)
    assert after["standard_error_bps"] == pytest.approx(found["standard_error"] * unit, abs=1e-3)


def test_price_tags_and_stored_orders_carry_the_standard_error() -> None:
    trade(60)
    learn()
    order = Order.objects.get(pk=acceptance.accept(ASKED, context(**CALIBRATED)).pk)
    tags = {each["algorithm"]: each for each in order.routing["alternatives"]}
    error = order.routing["estimate"]["standard_error_bps"]
    assert tags["TWAP"]["standard_error_bps"] == error > 0
    assert tags["LIMIT"]["standard_error_bps"] is None
    assert order.estimated_slippage_bps == pytest.approx(order.routing["estimate"]["bps"], abs=1e-3)


@pytest.mark.parametrize(
    ("given", "impact", "error"),
    [
        pytest.param({}, TRUTH, True, id="calibrated"),
        pytest.param({"impact_coefficient": 0.2}, 0.2, None, id="an argument comes first"),
        pytest.param({"model": "square_root"}, None, None, id="another model was not calibrated"),
    ],
)
@pytest.mark.django_db(transaction=True)
def test_the_slippage_model_uses_it(given: Any, impact: float | None, error: bool | None) -> None:
    trade(60)
    learn()
    model = SlippageModel(**given, config=context(**CALIBRATED).config)

    async def within_a_loop() -> SlippageEstimate:
        return model.estimate_slippage("AAPL", 100_000, "BUY", 150, ADV, volatility=0.02)

    found = asyncio.run(within_a_loop())
    assert bool(found.standard_error_bps) == bool(error)
    if impact is not None:
        assert found.impact_bps == pytest.approx(impact * 0.1 * 1e4, rel=0.02)


def test_few_orders_keep_what_is_configured_and_stay_on_record() -> None:
    trade(29)
    assert "not adopted: 29 orders are fewer than 30" in learn()
    assert SlippageCalibration.objects.get().adopted is False
    assert estimate(**CALIBRATED) == estimate()
    assert "adopted" in learn("--min-fills", "20")
    assert estimate(**CALIBRATED) != estimate()
    assert SlippageCalibration.objects.count() == 2


def test_a_symbols_own_fit_comes_before_that_of_all() -> None:
    trade(40)
    trade(40, truth=0.3, seed=2, symbol="MSFT")
    learn("--all")
    learn("--symbol", "MSFT")
    config = context(**CALIBRATED).config
    own, all_ = (cost_calibration.in_force(symbol, config).impact for symbol in ("MSFT", "AAPL"))
    assert own == pytest.approx(0.3, abs=0.01)
    assert TRUTH < all_ < 0.3
    assert SlippageCalibration.objects.get(symbol="MSFT").orders == 40


def test_a_fit_that_is_refused_leaves_the_last_adopted_one_in_force() -> None:
    trade(60)
    learn()
    adopted = estimate(**CALIBRATED)
    trade(300, truth=-0.1, seed=3)
    assert "not adopted" in learn()
    assert estimate(**CALIBRATED) == adopted


def test_what_cannot_be_compared_is_left_out_and_counted() -> None:
    trade(31)
    trade(2, arrival_bid=None, arrival_ask=None)
    trade(3, average_daily_volume=None)
    trade(4, algorithm="LIMIT")
    trade(5, status="WORKING", finished_at=None)
    shown = json.loads(learn("--json"))
    assert shown["orders"] == 31
    assert shown["left_out"] == {
        "no quote at arrival": 2,
        "daily volume or volatility unknown": 3,
    }


def test_fills_of_another_broker_teach_nothing() -> None:
    trade(40)
    Fill.objects.update(broker="alpaca")
    with pytest.raises(CommandError, match="no finished order to learn from"):
        learn()
    assert not SlippageCalibration.objects.exists()


def test_another_model_has_its_own_coefficients() -> None:
    """A volatility is needed, and the simulated market has no sessions to learn it from."""
    trade(40)
    with pytest.raises(cost_calibration.NothingToLearn, match="volatility unknown"):
        cost_calibration.learn(by="ann", context=context(model="almgren"))


def test_uncalibrated_estimates_read_nothing() -> None:
    with CaptureQueriesContext(connection) as queries:
        estimate()
    assert not [each for each in queries if "slippagecalibration" in each["sql"]]


@pytest.mark.parametrize("count", ["0", "many", "-3"])
def test_a_wrong_count_is_refused(count: str) -> None:
    with pytest.raises(CommandError, match="a whole number from 1"):
        learn(f"--min-fills={count}")
