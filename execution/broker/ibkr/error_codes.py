"""What Interactive Brokers' error codes mean for an order, and for the connection."""

from enum import Enum


class Verdict(Enum):
    NOTE = "the order lives as it is"
    REFUSED = "a new order was refused; a live one stays as it was"
    LOOK = "nothing is certain: look the order up"


REFUSED = frozenset(
    {
        110,  # the price is no multiple of the minimum tick
        200,  # no such contract, or an ambiguous one
        201,  # rejected, the reason in the text: margin, permission, size
        203,  # the security is not available for this account
        321,  # a field is wrong, or the API is read-only
        387,  # unsupported order type
        388,  # below the minimum size
        434, 435,  # size of zero; account missing
        438, 439, 440, 441, 442,  # something is wrong with the algorithm
    }
)  # fmt: skip

NOTES = frozenset(
    {
        202,  # cancelled: the orderStatus says so, and says it of the right order
        399,  # such as: not placed at the exchange until it opens
        404,  # held while shares to borrow are located
        10167,  # delayed market data
        10349,  # time in force taken from a preset
    }
)

NO_SUCH_CONTRACT = "200"
# Nothing works under this order id, but it cannot be used either.
ID_TAKEN = 103

LINK_LOST = frozenset({1100, 2110})
DATA_LOST = 1101
LINK_RESTORED = frozenset({DATA_LOST, 1102})  # market data lost; kept
CLIENT_ID_IN_USE = 326
PORT_CHANGED = 1300
TOO_MANY_MESSAGES = 100


def verdict(code: int) -> Verdict:
    """An unknown code decides nothing."""
    if code in NOTES or 2100 <= code < 2200:
        return Verdict.NOTE
    return Verdict.REFUSED if code in REFUSED else Verdict.LOOK


def is_refusal(code: str) -> bool:
    """Whether a remembered code explains an order's end as a refusal."""
    return code.isdigit() and verdict(int(code)) is Verdict.REFUSED
