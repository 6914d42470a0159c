"""Whether Redis takes what this process writes. One that answers a ping may refuse every write."""

import threading
from functools import cache

import redis
from django.conf import settings
from redis import exceptions
from redis.backoff import NoBackoff
from redis.retry import Retry

ANSWER_SECONDS = 2.0  # a Redis that takes longer counts as away
LOOK_EVERY = 1.0  # seconds
_KEY = "deepstack:written"
_KEPT_SECONDS = 60
_PIPELINED = " of pipeline caused error: "  # stands between the command and the answer to it

# The first that fits; the codes are the first word of an answer that refuses.
_WORDS: tuple[tuple[type[Exception], str], ...] = (
    (exceptions.OutOfMemoryError, "its memory is full (maxmemory), it refuses writes"),
    (exceptions.ReadOnlyError, "it is a read-only replica"),
    (exceptions.BusyLoadingError, "it is still loading its data"),
    (exceptions.AuthenticationError, "it refuses the password"),
    (exceptions.NoPermissionError, "the user of REDIS_URL may not write"),
    (exceptions.TimeoutError, f"no answer within {ANSWER_SECONDS:.0f} s"),
    (exceptions.ConnectionError, "does not answer"),
)
_CODES = {
    "MISCONF": "it cannot save to its disk, it refuses writes",
    "NOREPLICAS": "too few replicas are connected, it refuses writes",
    "MASTERDOWN": "it is a replica that has lost its master",
    "OOM": "its memory is full (maxmemory), it refuses writes",
    "NOAUTH": "it refuses the password",
    "WRONGTYPE": "somebody else uses the keys of its queues",
}
# What a refused connection says, of which redis-py and OpenSSL make one kind of error.
_REFUSALS = {
    "max number of clients reached": "it has no connection left (maxclients)",
    "mismatch, certificate is not valid for": "its certificate is of another host",
    "CERTIFICATE_VERIFY_FAILED": "its certificate is not trusted, or has expired",
    "WRONG_VERSION_NUMBER": "it speaks no TLS, which rediss:// asks for",
}


def trouble() -> str:
    """Why Redis does not take a write now, without any address or name; empty when it does."""
    try:
        client().set(_KEY, 1, ex=_KEPT_SECONDS)
    except redis.RedisError as error:
        return in_words(error)
    return ""


def in_words(error: BaseException) -> str:
    """Why Redis did not do what it was asked for, without any address, name or value."""
    while not isinstance(error, redis.RedisError) and error.__cause__ is not None:
        error = error.__cause__  # kombu tells of any error as one of its own
    code = str(error).rpartition(_PIPELINED)[2].partition(" ")[0]
    if code in _CODES:
        return _CODES[code]
    for said, words in _REFUSALS.items():
        if said in str(error):
            return words
    for kind, words in _WORDS:
        if isinstance(error, kind):
            return words
    return f"it answers with error {code}" if code.isupper() else "does not answer"


class Lookout:
    """A thread that writes to Redis every second, so that whoever asks need not wait for it."""

    def __init__(self) -> None:
        self.trouble = ""
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="redis-lookout", daemon=True)

    def start(self) -> None:
        self.trouble = trouble()
        self._thread.start()

    def end(self) -> None:
        self._ended.set()

    def _run(self) -> None:
        while not self._ended.wait(LOOK_EVERY):
            self.trouble = trouble()


@cache
def client() -> redis.Redis:
    return redis.Redis.from_url(
        settings.REDIS_URL,
        socket_timeout=ANSWER_SECONDS,
        socket_connect_timeout=ANSWER_SECONDS,
        retry=Retry(NoBackoff(), retries=0),
    )
