"""What is said of a Redis that does not take a write."""

import pytest
from kombu.exceptions import OperationalError
from redis import exceptions

from deepstack.redis_check import in_words

REFUSED = (
    "Error 1 connecting to 10.0.0.1:6379. [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify"
    " failed:"
)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (exceptions.OutOfMemoryError("command not allowed when used memory"), "memory is full"),
        (exceptions.ResponseError("OOM command not allowed"), "memory is full"),
        (exceptions.ResponseError("MISCONF Redis is configured to save RDB"), "save to its disk"),
        (exceptions.ReadOnlyError("You can't write against a read only replica."), "read-only"),
        (exceptions.BusyLoadingError("Redis is loading the dataset"), "loading"),
        (exceptions.AuthenticationError("Authentication required."), "refuses the password"),
        (exceptions.NoPermissionError("no permissions to run 'set'"), "may not write"),
        (exceptions.ResponseError("NOREPLICAS Not enough good replicas"), "too few replicas"),
        (exceptions.ResponseError("WRONGPASS 10.0.0.1"), "it answers with error WRONGPASS"),
        (exceptions.TimeoutError("Timeout reading from 10.0.0.1:6379"), "no answer within 2 s"),
        (exceptions.ConnectionError("Error 111 connecting to 10.0.0.1:6379"), "does not answer"),
        (exceptions.ConnectionError("max number of clients reached"), "no connection left"),
        (
            exceptions.ConnectionError(f"{REFUSED} self-signed certificate (_ssl.c:1006)."),
            "certificate is not trusted, or has expired",
        ),
        (
            exceptions.ConnectionError(
                f"{REFUSED} Hostname mismatch, certificate is not valid for '10.0.0.1'."
            ),
            "certificate is of another host",
        ),
        (
            exceptions.ConnectionError(
                "Error 1 connecting to 10.0.0.1:6379. [SSL: WRONG_VERSION_NUMBER] wrong version"
            ),
            "speaks no TLS",
        ),
    ],
)
def test_the_cause_is_named_and_no_address(error: Exception, words: str) -> None:
    assert words in in_words(error)
    assert "10.0.0.1" not in in_words(error)
    kombus = OperationalError(f"Command # 1 (LLEN slices) of pipeline caused error: {error}")
    kombus.__cause__ = error
    error.__cause__ = TimeoutError("timed out")  # of the socket
    assert in_words(kombus) == in_words(error)


@pytest.mark.parametrize("before", ["", "Command # 1 (SADD slices) of pipeline caused error: "])
def test_keys_of_somebody_else_are_named(before: str) -> None:
    error = exceptions.ResponseError(f"{before}WRONGTYPE Operation against a key")
    assert in_words(error) == "somebody else uses the keys of its queues"
