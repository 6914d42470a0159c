"""Whether this process may take new orders at all, whatever they say."""

from deepstack.config import Config
from execution import heartbeat
from execution.entry import free_space
from execution.entry.free_space import DiskNearlyFull
from execution.market.base import MarketDataUnavailable


class ClockFarOff(RuntimeError):
    """Nothing was stored; what is stored can be cancelled."""


NOT_TAKEN = (DiskNearlyFull, ClockFarOff)
NOT_NOW = (*NOT_TAKEN, MarketDataUnavailable)
NO_MARKET_DATA = "the market data source does not answer; nothing was stored, send it again"


def words(error: Exception) -> str:
    """Of one of NOT_NOW, for a person."""
    return NO_MARKET_DATA if isinstance(error, MarketDataUnavailable) else str(error)


def require(config: Config) -> None:
    """Raises one of NOT_TAKEN."""
    free_space.require(config)
    require_right_clock()


def require_right_clock() -> None:
    """Windows begin at once where nothing else is said: by a wrong clock they are over before they
    begin, or begin when nobody expects it. Raises ClockFarOff."""
    ahead = heartbeat.clock_ahead()
    if abs(ahead) >= heartbeat.FAR_OFF_SECONDS:
        where = "ahead of" if ahead > 0 else "behind"
        raise ClockFarOff(
            f"the clock of this process is {abs(ahead):,.0f} s {where} the database's: no order is"
            " taken or amended, cancels work. Set the clock of its machine, then send it again"
        )
