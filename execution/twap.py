"""Time-weighted average price: equal slices, evenly spread, their moments slightly randomised."""

from execution.executor import Executor


class TWAPExecutor(Executor):
    """Works orders in equal slices."""

    algorithm = "TWAP"
