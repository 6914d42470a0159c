"""The schedule that weighs impact against risk: Almgren and Chriss, "Optimal Execution of
Portfolio Transactions" (2000), with linear impact in discrete time."""

from dataclasses import dataclass
from itertools import pairwise
from math import asinh, exp, expm1, inf, isfinite, sqrt


@dataclass(frozen=True, slots=True)
class Impact:
    """Linear impact: a trade of n shares in tau days moves the price for good by gamma * n and is
    charged epsilon + eta * n / tau a share.

    `epsilon` in $ a share, `gamma` in $ a share per share, `eta` in $ a share per share a day.
    """

    epsilon: float
    gamma: float
    eta: float


@dataclass(frozen=True, slots=True)
class Trajectory:
    """`holdings[j]` shares are left at time j * tau: from X at 0 down to 0 at the end.

    `kappa` is the urgency per day, `half_life` = 1 / kappa the days in which the holding would
    shrink by a factor e without an end (infinite for a risk aversion of 0).
    `expected_cost` in $, `variance` in $ squared.
    """

    holdings: tuple[float, ...]
    kappa: float
    half_life: float
    expected_cost: float
    variance: float

    @property
    def trades(self) -> tuple[float, ...]:
        """The shares of each interval: the weights of a schedule."""
        return tuple(before - after for before, after in pairwise(self.holdings))


def trajectory(
    *,
    quantity: float,
    days: float,
    intervals: int,
    volatility: float,
    impact: Impact,
    risk_aversion: float,
) -> Trajectory:
    """The holdings that minimise expected cost + risk_aversion * variance.

    `volatility` in $ a share per square root of a day, `risk_aversion` (lambda) in 1/$. With
    tau = days / intervals and eta' = eta - gamma * tau / 2:

        x_j = X * sinh(kappa * (T - t_j)) / sinh(kappa * T)
        2 / tau^2 * (cosh(kappa * tau) - 1) = lambda * sigma^2 / eta'
        E = gamma * X^2 / 2 + epsilon * X + eta' / tau * sum n_k^2
        V = sigma^2 * tau * sum x_k^2, k = 1 .. N

    lambda = 0 gives equal trades (TWAP). Raises ValueError where eta' is not positive: intervals
    that long have no optimum, so more of them are needed.
    """
    _check(quantity, days, intervals, volatility, impact, risk_aversion)
    tau = days / intervals
    eta = impact.eta - impact.gamma * tau / 2
    if eta <= 0:
        raise ValueError(
            f"eta - gamma * tau / 2 = {eta:g}: must be positive; eta = {impact.eta:g}, "
            f"gamma = {impact.gamma:g}, tau = {tau:g} days: use more intervals than {intervals}"
        )
    kappa = _urgency(risk_aversion * volatility**2 / eta, tau)
    holdings = tuple(
        quantity * _remaining(kappa * tau, intervals, step) for step in range(intervals + 1)
    )
    squares = sum((before - after) ** 2 for before, after in pairwise(holdings))
    return Trajectory(
        holdings=holdings,
        kappa=kappa,
        half_life=1 / kappa if kappa else inf,
        expected_cost=impact.gamma * quantity**2 / 2
        + impact.epsilon * quantity
        + eta / tau * squares,
        variance=volatility**2 * tau * sum(held**2 for held in holdings[1:]),
    )


def _urgency(ratio: float, tau: float) -> float:
    """kappa, from lambda * sigma^2 / eta'."""
    return 2 * asinh(sqrt(ratio) * tau / 2) / tau


def _remaining(step_urgency: float, intervals: int, step: int) -> float:
    """sinh(u * (N - j)) / sinh(u * N) without overflow; 1 - j / N in the limit u = 0."""
    whole, left = step_urgency * intervals, step_urgency * (intervals - step)
    if not whole:
        return (intervals - step) / intervals
    if whole == inf:
        return 0.0 if step else 1.0
    return exp(left - whole) * expm1(-2 * left) / expm1(-2 * whole)


def _check(
    quantity: float,
    days: float,
    intervals: int,
    volatility: float,
    impact: Impact,
    risk_aversion: float,
) -> None:
    positive = {"quantity": quantity, "days": days, "intervals": intervals, "eta": impact.eta}
    for name, value in positive.items():
        if not (isfinite(value) and value > 0):
            raise ValueError(f"{name} = {value}: must be finite and positive")
    rest = {
        "volatility": volatility,
        "risk_aversion": risk_aversion,
        "epsilon": impact.epsilon,
        "gamma": impact.gamma,
    }
    for name, value in rest.items():
        if not (isfinite(value) and value >= 0):
            raise ValueError(f"{name} = {value}: must be finite and not negative")
