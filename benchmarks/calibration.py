"""How often the stated 95 % intervals of a calibration hold, where the prior is wrong.

    python -m benchmarks.calibration [--runs N]

Orders of a tenth of a percent to three percent of a day's volume, worked in 1 to 40 % of a day of
2 % volatility: their cost is the model's with its true coefficients, the price's own moves on top.
"""

import argparse
import random
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from statistics import fmean

from execution.domain.cost_fit import Fit, Observation, fit
from execution.domain.cost_models import COST_MODELS, Coefficients, Work, timing_risk_bps
from execution.domain.interval_coverage import NORMAL_95

BEGAN = datetime(2026, 1, 5, 15, tzinfo=UTC)
PRIORS = {"square_root": (1.0,), "guide": (0.1,), "almgren": (0.314, 0.142)}
OFF_BY = (1 / 3, 1.0, 3.0)  # the truth over the prior
COUNTS = (30, 200)
VOLATILITY = 0.02


def orders(
    count: int, truth: Sequence[float], model: str, chance: random.Random
) -> Iterator[Observation]:
    for _ in range(count):
        days = chance.choice([0.01, 0.1, 0.4])
        work = Work(
            quantity=round(1e8 * 0.001 * 30 ** chance.random()),
            spread_bps=4.0,
            average_daily_volume=1e8,
            daily_volatility=VOLATILITY,
            days=days,
        )
        units = COST_MODELS[model].unit_impact(work, Coefficients()) or ()
        impact = sum(each * unit for each, unit in zip(truth, units, strict=True))
        moves = timing_risk_bps(VOLATILITY, days)
        cost = 2 + impact + chance.gauss(0, moves)
        yield Observation(BEGAN, BEGAN + timedelta(hours=1), cost, 2.0, units, moves)


def row(model: str, count: int, off_by: float, runs: int) -> str:
    prior = PRIORS[model]
    truth = tuple(each * off_by for each in prior)
    chance = random.Random(f"{model} {count} {off_by}")
    fits = [fit(list(orders(count, truth, model, chance)), prior) for _ in range(runs)]
    cells = [_cell(fits, k, true) for k, true in enumerate(truth)]
    return f"{model:12}{count:6}{off_by:8.2f}   {'   '.join(cells)}"


def _cell(fits: Sequence[Fit], k: int, truth: float) -> str:
    triples = [(f.coefficients[k], f.standard_errors[k], f.prior_shares[k]) for f in fits]
    held = fmean(abs(value - truth) <= NORMAL_95 * error for value, error, _ in triples)
    value, error, prior = (fmean(column) for column in zip(*triples, strict=True))
    return f"{truth:8.3f} {value:8.3f} {error:8.3f} {prior:7.0%} {held:8.1%}"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="coverage of a calibration's intervals")
    parser.add_argument("--runs", type=int, default=400)
    runs = parser.parse_args(arguments).runs
    print("model       orders  off by      true   fitted  s.e.    prior    held (each coefficient)")
    for model in PRIORS:
        for count in COUNTS:
            for off_by in OFF_BY:
                print(row(model, count, off_by, runs), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
