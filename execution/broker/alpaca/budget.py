"""The account's message budget, shared by every worker through Redis."""

import time
from dataclasses import dataclass
from enum import Enum

from redis import Redis
from redis.exceptions import RedisError

from execution.broker.base import BrokerUnavailable

# One in five may go at once; the rest of the minute's budget comes back evenly. In no 60 seconds
# can more than `capacity + 60 * refill` = the whole budget be spent.
BURST = 0.2

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


class Lanes(Enum):
    """Cancels go first: while one waits, every token that comes back is its own."""

    CANCEL = Lane(reserve=0.0, patience=2.0)
    ASK = Lane(reserve=0.2, patience=1.0)
    NEWS = Lane(reserve=0.3, patience=0.5)  # few by its own rule; sends may not starve it
    SEND = Lane(reserve=0.4, patience=0.5)


class Budget:
    """`per_minute` messages in any 60 seconds, whichever process sends them."""

    def __init__(self, redis: Redis, key: str, per_minute: int) -> None:
        self.per_minute = per_minute
        self._capacity = max(per_minute * BURST, 2.0)
        self._refill = (per_minute - self._capacity) / 60_000
        self._keys = [f"{key}:budget", f"{key}:closed"]
        self._redis = redis
        self._take = redis.register_script(TAKE)

    def take(self, lane: Lanes) -> None:
        """Spend one message; waits a little. Raises BrokerUnavailable when there is none, or
        when Redis cannot say."""
        deadline = time.monotonic() + lane.value.patience
        while wait := self._try(lane.value):
            if time.monotonic() + wait > deadline:
                raise BrokerUnavailable(
                    f"message budget of {self.per_minute} a minute is spent, "
                    f"the next {lane.name.lower()} in {wait:.1f} s"
                )
            time.sleep(wait)

    def close(self, seconds: float) -> None:
        """The broker itself said "too many": nobody sends for so long."""
        try:
            self._redis.set(self._keys[1], 1, px=max(int(seconds * 1000), 1))
        except RedisError:
            return  # whoever asks next for a token meets the same Redis

    def _try(self, lane: Lane) -> float:
        arguments = [self._capacity, self._refill, self._capacity * lane.reserve]
        try:
            return int(self._take(keys=self._keys, args=arguments)) / 1000
        except RedisError as error:
            raise BrokerUnavailable(f"the message budget is in Redis: {error}") from error
