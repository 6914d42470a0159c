"""The part of the market's volume that an order may be, and the one that it goes by."""

from dataclasses import dataclass
from math import floor

# Of the volume that is forecast of the last minutes before a close: an order that ends a little
# below its part is as asked, one that ends above it is not.
_COUNTED = 0.75


@dataclass(frozen=True, slots=True)
class Pace:
    """Shares (0 to 1) of the market's volume: the one that an order goes by, and the one that it
    never passes."""

    share: float
    cap: float

    def shares(self, traded: float, ahead: float = 0.0) -> int:
        """That may be executed or working, but for one lot, once `traded` shares have traded since
        the order's start:

            min(share * (traded + 0.75 * ahead), cap * traded)

        `ahead`: the volume expected from now until the session's close, of the last child of an
        order that ends there. What trades then is known when nothing can follow it any more.
        """
        return floor(min(self.share * (traded + _COUNTED * ahead), self.cap * traded))
