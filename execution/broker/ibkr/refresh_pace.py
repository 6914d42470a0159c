"""When TWS is asked for all orders again. Moments are of the monotonic clock, in seconds."""

from math import inf

GAP = 1.0  # between the beginnings of two refreshes at least
LONGEST_REST = 10.0


class RefreshPace:
    """`due` is True once for each refresh that is to begin.

    One begins only when the last has been answered and written, and after one that took long rests
    as long as it took: answers that came faster than they can be written would keep the news of
    single orders waiting behind them, for longer with each refresh.
    """

    def __init__(self, every: float) -> None:
        self._every = every
        self._at = 0.0  # when the next one is wanted
        self._not_before = 0.0
        self._under_way = False

    def want(self, at: float) -> None:
        """One that begins at that moment or later."""
        self._at = min(self._at, at)

    def began(self, at: float) -> None:
        """What was wanted by then is on its way; what was wanted since is not."""
        self._under_way = True
        self._not_before = at + GAP
        later = self._at if self._at > at else inf
        self._at = min(later, at + self._every)

    def ended(self, began: float, now: float, *, answered: bool) -> None:
        """All that came before its end has been read."""
        self._under_way = False
        if answered:
            self._not_before = max(self._not_before, now + min(now - began, LONGEST_REST))

    def lost(self) -> None:
        """With the connection; the next one begins with a refresh of its own."""
        self._under_way = False

    def due(self, now: float) -> bool:
        if self._under_way or now < max(self._at, self._not_before):
            return False
        self._at = inf  # until it has begun
        return True
