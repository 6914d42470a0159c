"""A trading session and the part of it in which an order may be worked."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta


@dataclass(frozen=True, slots=True)
class Session:
    """One day of one exchange, in UTC.

    `open`/`close` bound the regular hours; the extended hours reach from `extended_open` to
    `extended_close`. `always` marks a trial market that never closes.
    """

    day: date
    open: datetime
    close: datetime
    extended_open: datetime
    extended_close: datetime
    always: bool = False

    @property
    def length(self) -> timedelta:
        return self.close - self.open

    def is_regular(self, at: datetime) -> bool:
        return self.open <= at < self.close

    def is_extended(self, at: datetime) -> bool:
        return self.extended_open <= at < self.extended_close
