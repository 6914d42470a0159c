"""Figures as people read them: beside a bound, with a sign, counted."""

from decimal import Decimal


def beside(value: Decimal, *bounds: Decimal, places: int = 2) -> Decimal:
    """The value rounded to so many decimals, and to as many more as it takes to lie on the same
    side of each bound as it does, so that the sentence about the two is true: 9,999.99 beside
    10,000 is never 10,000."""
    most = max(-int(value.as_tuple().exponent), places)
    for shown in range(places, most):
        rounded = round(value, shown)
        if all(_side(rounded, bound) == _side(value, bound) for bound in bounds):
            return rounded
    return round(value, most)


def signed(value: Decimal | float, places: int = 1) -> str:
    """What is rounded to zero has no sign."""
    shown = f"{value:+.{places}f}"
    return shown if float(shown) else shown[1:]


def counted(count: int, name: str) -> str:
    """`1 order`, `2,000 orders`."""
    return f"{count:,} {name}{'' if count == 1 else 's'}"


def _side(value: Decimal, bound: Decimal) -> int:
    return (value > bound) - (value < bound)
