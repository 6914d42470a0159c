"""The one way to Alpaca over HTTP: the library's client with its habits tamed."""

import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from ssl import SSLCertVerificationError
from typing import Any

import requests
from alpaca.common.exceptions import APIError
from alpaca.common.rest import RESTClient
from requests.adapters import HTTPAdapter
from typing_extensions import override
from urllib3.exceptions import MaxRetryError, NewConnectionError

from deepstack.config import Config
from execution.broker.alpaca.rate_limit import Budget, Lanes
from execution.broker.alpaca.rejections import ErrorAnswer, error_answer
from execution.broker.base import BrokerUnavailable, OutcomeUnknown

Params = Mapping[str, str]


class NoSuchOrder(OutcomeUnknown):
    """Alpaca knows no order of this id. Said of anything else, it is no answer."""


class HttpClient:
    """Requests through one of the library's clients, which `open_client` opens once per thread.

    Every request spends one message of the budget, has time-outs, and is sent once: the library
    would repeat it after 429 and 504, placements included, and would wait for an answer for ever.

    `post` and `delete` raise ErrorAnswer for an error answer, BrokerUnavailable when surely nothing
    left, and OutcomeUnknown when something left and nothing usable came back.
    """

    def __init__(
        self, open_client: Callable[[], RESTClient], config: Config, budget: Budget
    ) -> None:
        self._open_client = open_client
        self._limits = (config.alpaca_connect_seconds, config.alpaca_read_seconds)
        self._budget = budget
        self._local = threading.local()
        # The broker's clock less ours, to about a second; unknown before the first answer.
        self.skew: timedelta | None = None
        self._skew_at = 0.0  # monotonic

    def get(self, path: str, params: Params, lane: Lanes) -> object:
        """Raises NoSuchOrder for Alpaca's own "not found"; BrokerUnavailable or OutcomeUnknown
        for anything else that is not an answer."""
        try:
            return self._send(lambda client: client.get(path, dict(params)), lane)
        except ErrorAnswer as said:
            if said.means_no_such_order:
                raise NoSuchOrder(str(said)) from said
            if said.status == 429:
                raise BrokerUnavailable(str(said)) from said
            raise OutcomeUnknown(str(said)) from said

    def post(self, path: str, body: Mapping[str, object], lane: Lanes) -> object:
        return self._send(lambda client: client.post(path, dict(body)), lane)

    def delete(self, path: str, lane: Lanes) -> object:
        """A cancel. Only what is said to one of these holds up those that follow."""
        return self._send(lambda client: client.delete(path), lane, cancels=True)

    def _send(
        self, request: Callable[[RESTClient], object], lane: Lanes, *, cancels: bool = False
    ) -> object:
        self._budget.take(lane)
        try:
            answer = request(self._client())
        except APIError as error:
            said = _error_answer(error)
            if said.retry_after:
                self._budget.close(said.retry_after, cancels=cancels)
            raise said from error
        except requests.RequestException as error:
            if _never_left(error):
                raise BrokerUnavailable(str(error)) from error
            raise OutcomeUnknown(f"{type(error).__name__}: {error}") from error
        self._budget.note_answer()
        return answer

    def _client(self) -> RESTClient:
        client: RESTClient | None = getattr(self._local, "client", None)
        if client is None:
            client = self._open_client()
            client._retry = 0  # no argument of the constructor can say zero
            client._session.mount("https://", _TimeLimited(self._limits, self._note_header))
            client._session.mount("http://", _TimeLimited(self._limits, self._note_header))
            self._local.client = client
        return client

    @property
    def skew_age(self) -> float:
        """Seconds since the skew was last measured."""
        return time.monotonic() - self._skew_at

    def note_clock(self, moment: datetime) -> None:
        """What the broker's clock shows now."""
        self.skew, self._skew_at = moment - datetime.now(UTC), time.monotonic()

    def _note_header(self, response: requests.Response) -> None:
        """Most answers have the time; those that came through some proxies do not."""
        try:
            moment = parsedate_to_datetime(response.headers.get("Date", ""))
        except (ValueError, OverflowError):  # no date, or an offset of centuries
            return
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        # The header names the second that has begun: on average it is half a second behind.
        self.note_clock(moment + timedelta(seconds=0.5))


class _TimeLimited(HTTPAdapter):
    """Bounds the wait for a connection and for each part of an answer, in seconds."""

    def __init__(
        self, limits: tuple[float, float], note: Callable[[requests.Response], None]
    ) -> None:
        super().__init__()
        self._limits = limits
        self._note = note

    @override
    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> Any:
        kwargs["timeout"] = self._limits
        response = super().send(request, *args, **kwargs)
        self._note(response)
        return response


def _error_answer(error: APIError) -> ErrorAnswer:
    # The error's own `code` and `message` fail on a body that is not JSON.
    response = error.response
    if response is None:
        return error_answer(error.status_code or 0, str(error), {})
    return error_answer(response.status_code, response.text, response.headers)


def _never_left(error: requests.RequestException) -> bool:
    if isinstance(error, requests.exceptions.ConnectTimeout | requests.exceptions.ProxyError):
        return True
    cause = _first(error)
    reason = cause.reason if isinstance(cause, MaxRetryError) else None
    if isinstance(reason, NewConnectionError):
        return True  # refused, no route, or no such name
    return isinstance(_first(reason), SSLCertVerificationError)


def _first(error: BaseException | None) -> object:
    return error.args[0] if error is not None and error.args else None
