"""What the workers remember together: Alpaca's ids of our orders, and how far executions were read.

All of it can be lost without harm: it only saves messages, or time.
"""

import json
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from django.conf import settings
from redis import Redis
from redis.exceptions import RedisError

IDS_HELD = 2 * 86_400  # seconds
SWEEPS_COUNT = timedelta(minutes=5)  # for a caller who is further behind all is read anew
MOST_SWEEPS = 500


@dataclass(frozen=True, slots=True)
class Sweep:
    """One poll, at `at`: every order submitted before `orders_from` had ended by
    then, and every fill before `fills_from` was reported."""

    at: datetime
    orders_from: datetime
    fills_from: datetime


def connect() -> Redis:
    """With time-outs: whoever waits for Redis holds up an order."""
    return Redis.from_url(
        settings.REDIS_URL, decode_responses=True, socket_timeout=1, socket_connect_timeout=1
    )


def owner(address: str, api_key: str) -> str:
    """Names in Redis what belongs to one account, without showing its key."""
    return sha256(f"{address} {api_key}".encode()).hexdigest()[:16]


class RedisCache:
    def __init__(self, redis: Redis, key: str) -> None:
        self._redis = redis
        self._key = key

    def remember_id(self, client_order_id: str, order_id: str) -> None:
        with suppress(RedisError):
            self._redis.set(f"{self._key}:id:{client_order_id}", order_id, ex=IDS_HELD)

    def id_of(self, client_order_id: str) -> str | None:
        with suppress(RedisError):
            order_id = self._redis.get(f"{self._key}:id:{client_order_id}")
            return str(order_id) if order_id else None
        return None

    def may_sweep(self, rest: float) -> bool:
        """True for one caller; nobody else before `rest` seconds are over."""
        pause = max(int(rest * 1000), 1)
        with suppress(RedisError):
            return bool(self._redis.set(f"{self._key}:swept", 1, px=pause, nx=True))
        return False

    def sweeps(self) -> list[Sweep]:
        """Of the last minutes, oldest first."""
        with suppress(RedisError, ValueError, TypeError):
            held = json.loads(self._redis.get(f"{self._key}:sweeps") or "[]")
            return [Sweep(*map(datetime.fromisoformat, moments)) for moments in held]
        return []

    def swept(self, sweep: Sweep) -> None:
        held = [each for each in self.sweeps() if each.at > sweep.at - SWEEPS_COUNT]
        moments = [
            [each.at.isoformat(), each.orders_from.isoformat(), each.fills_from.isoformat()]
            for each in [*held[-MOST_SWEEPS:], sweep]
        ]
        with suppress(RedisError):
            self._redis.set(f"{self._key}:sweeps", json.dumps(moments), ex=SWEEPS_COUNT)

    def rest(self, seconds: float) -> None:
        """Nobody sweeps again before this is over."""
        with suppress(RedisError):
            self._redis.set(f"{self._key}:swept", 1, px=max(int(seconds * 1000), 1))
