"""The account's message budget, shared by every worker through Redis."""

import time
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum

from redis import Redis
from redis.exceptions import RedisError

from execution.broker.base import BrokerUnavailable

# One in five may go at once; the rest of the minute's budget comes back evenly. In no 60 seconds
# can more than `capacity + 60 * refill` = the whole budget be spent.
BURST = 0.2
ANSWER_COUNTS = 1_500  # milliseconds

# KEYS: bucket, closed. ARGV: capacity, refill per millisecond, tokens that must be left over.
# Returns 0 for a token taken, or the milliseconds until one can be.
TAKE = """
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local closed = redis.call('PTTL', KEYS[2])
if closed > 0 then return closed end
local capacity, refill, left_over = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local state = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens, at = tonumber(state[1] or capacity), tonumber(state[2] or now)
tokens = math.min(capacity, tokens + math.max(now - at, 0) * refill)
local wait = 0
if tokens >= left_over + 1 then
  tokens = tokens - 1
else
  wait = math.ceil((left_over + 1 - tokens) / refill)
end
redis.call('HSET', KEYS[1], 'tokens', string.format('%.6f', tokens), 'at', string.format('%.3f', now))
redis.call('PEXPIRE', KEYS[1], 120000)
return wait
"""  # noqa: E501


@dataclass(frozen=True, slots=True)
class Lane:
    """`reserve`: the share of the burst left to the lanes above. `patience` in seconds."""

    reserve: float
    patience: float


class BudgetSpent(BrokerUnavailable):
    """We hold the message back ourselves; the broker may be well."""


class Lanes(Enum):
    """Cancels go first: while one waits, every token that comes back is its own, and only an
    answer to a cancel can close their lane."""

    CANCEL = Lane(reserve=0.0, patience=2.0)
    ASK = Lane(reserve=0.2, patience=1.0)
    POLL = Lane(reserve=0.3, patience=0.5)  # few by its own rule; sends may not starve it
    SEND = Lane(reserve=0.4, patience=0.5)


class Budget:
    """`per_minute` messages in any 60 seconds, whichever process sends them."""

    def __init__(self, redis: Redis, key: str, per_minute: int) -> None:
        self.per_minute = per_minute
        self._capacity = max(per_minute * BURST, 2.0)
        self._refill = (per_minute - self._capacity) / 60_000
        self._bucket = f"{key}:budget"
        self._closed = f"{key}:closed"  # all lanes but the cancels'
        self._cancels_closed = f"{key}:closed:cancels"
        self._answered = f"{key}:answered"
        self._redis = redis
        self._take = redis.register_script(TAKE)

    def take(self, lane: Lanes) -> None:
        """Spend one message; waits a little. Raises BudgetSpent when there is none, and
        BrokerUnavailable when Redis cannot say."""
        deadline = time.monotonic() + lane.value.patience
        while wait := self._try(lane):
            if time.monotonic() + wait > deadline:
                why = "Alpaca asked for a pause (HTTP 429)"
                if not self.closed_for():
                    why = f"message budget of {self.per_minute} a minute is spent"
                raise BudgetSpent(f"{why}, the next {lane.name.lower()} in {wait:.1f} s")
            time.sleep(wait)

    def close(self, seconds: float, *, cancels: bool) -> None:
        """The broker itself said "too many": nobody sends for so long. `cancels`: it said so to a
        cancel, and those wait, too."""
        keys = [self._closed, *([self._cancels_closed] if cancels else [])]
        try:
            for key in keys:
                self._redis.set(key, 1, px=max(int(seconds * 1000), 1))
        except RedisError:
            return  # whoever asks next for a token meets the same Redis

    def closed_for(self) -> float:
        """Seconds for which the broker wants no request; 0 while it takes some, or when Redis
        cannot say."""
        try:
            return max(int(self._redis.pttl(self._closed)), 0) / 1000
        except RedisError:
            return 0.0

    def note_answer(self) -> None:
        """Alpaca has answered somebody: nobody need ask whether it does."""
        with suppress(RedisError):
            self._redis.set(self._answered, 1, px=ANSWER_COUNTS)

    def answered_lately(self) -> bool:
        with suppress(RedisError):
            return bool(self._redis.exists(self._answered))
        return False

    def _try(self, lane: Lanes) -> float:
        closed = self._cancels_closed if lane is Lanes.CANCEL else self._closed
        arguments = [self._capacity, self._refill, self._capacity * lane.value.reserve]
        try:
            return int(self._take(keys=[self._bucket, closed], args=arguments)) / 1000
        except RedisError as error:
            raise BrokerUnavailable(f"the message budget is in Redis: {error}") from error
