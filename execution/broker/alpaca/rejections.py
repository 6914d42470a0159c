"""What an error answer of Alpaca means. Its codes are few and shared, so the words decide."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from execution.broker.base import BrokerError, BrokerRejected, DuplicateOrder, OutcomeUnknown

DEFAULT_PAUSE, LONGEST_PAUSE = 5.0, 120.0  # seconds
NOT_FOUND = 40410000

# The first row whose words all appear decides. Wash trades and short buying power have come under
# 403 and 422 with one and the same code; the words have been steadier.
WORDS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("wash trade",), "WASH_TRADE"),
    (("insufficient buying power",), "INSUFFICIENT_BUYING_POWER"),
    (("insufficient day trading buying power",), "INSUFFICIENT_BUYING_POWER"),
    (("insufficient qty",), "INSUFFICIENT_SHARES"),
    (("insufficient balance",), "INSUFFICIENT_BUYING_POWER"),
    (("sub-penny",), "SUB_PENNY"),
    (("minimum pricing",), "SUB_PENNY"),
    (("allowed to short",), "NOT_SHORTABLE"),
    (("sold short",), "NOT_SHORTABLE"),
    (("shortable",), "NOT_SHORTABLE"),
    (("pattern day trad",), "DAY_TRADING_LIMIT"),
    (("not tradable",), "NOT_TRADABLE"),
    (("not active",), "NOT_TRADABLE"),
    (("asset", "not found"), "NOT_TRADABLE"),
    (("halted",), "NOT_TRADABLE"),
    (("fractionable",), "NOT_FRACTIONABLE"),
    (("account", "restricted"), "ACCOUNT_RESTRICTED"),
    (("account", "blocked"), "ACCOUNT_RESTRICTED"),
    (("trading", "suspended"), "ACCOUNT_RESTRICTED"),
    (("not eligible to trade",), "ACCOUNT_RESTRICTED"),
    (("extended hours",), "EXTENDED_HOURS"),
)
BY_STATUS = {400: "INVALID_ORDER", 401: "NOT_AUTHORISED", 403: "FORBIDDEN", 422: "INVALID_ORDER"}


@dataclass(eq=False)
class ErrorAnswer(Exception):
    """An error answer. `message` is Alpaca's own; empty when the body is none of Alpaca's."""

    status: int
    code: int | None
    message: str
    body: str
    retry_after: float | None = None

    def __str__(self) -> str:
        return f"HTTP {self.status} {self.message or self.body[:200]}".strip()

    @property
    def means_no_such_order(self) -> bool:
        """A proxy's 404 and an unknown path are no answer about an order."""
        words = self.message.lower()
        return self.status == 404 and (
            self.code == NOT_FOUND or ("order" in words and "not found" in words)
        )


def error_answer(status: int, body: str, headers: Mapping[str, str]) -> ErrorAnswer:
    code, message = _own_words(body)
    pause = _pause(headers) if status == 429 else None
    return ErrorAnswer(status, code, message, body, pause)


def placement_error(said: ErrorAnswer) -> BrokerError:
    """What became of a placement that was answered so."""
    if said.status == 429:
        return rate_limited(said)
    words = said.message.lower()
    if not words or said.status not in (400, 401, 403, 404, 422):
        # A server's failure or somebody else's page: the order may have been taken before it.
        return OutcomeUnknown(str(said))
    if said.status == 422 and _is_duplicate(words):
        return DuplicateOrder(said.message)
    return BrokerRejected(
        code_of(words, BY_STATUS.get(said.status, f"HTTP_{said.status}")), said.message
    )


def cancel_error(said: ErrorAnswer) -> BrokerError:
    """What became of a request to cancel that was answered so."""
    if said.status == 429:
        return rate_limited(said)
    if said.means_no_such_order:
        return BrokerRejected("UNKNOWN_ORDER", said.message)
    if said.status == 422 and said.message:
        return BrokerRejected("TOO_LATE", said.message)
    if said.message and said.status in (401, 403):
        return BrokerRejected(BY_STATUS[said.status], said.message)
    return OutcomeUnknown(str(said))


def rate_limited(said: ErrorAnswer) -> BrokerRejected:
    return BrokerRejected(
        "RATE_LIMITED",
        said.message or said.body[:200] or "too many requests",
        transient=True,
        retry_after=said.retry_after or DEFAULT_PAUSE,
    )


def _own_words(body: str) -> tuple[int | None, str]:
    try:
        answer = json.loads(body)
    except ValueError:
        return None, ""
    if not isinstance(answer, dict):
        return None, ""
    code, message = answer.get("code"), answer.get("message")
    return (
        code if isinstance(code, int) else None,
        message if isinstance(message, str) else "",
    )


def _is_duplicate(words: str) -> bool:
    """ "client_order_id must be unique", with underscores, blanks or hyphens."""
    plain = words.replace("_", " ").replace("-", " ")
    return "client order id" in plain and "unique" in plain


def code_of(words: str, otherwise: str = "REJECTED") -> str:
    """Our code for what Alpaca says of a refused order."""
    words = words.lower()
    for needles, code in WORDS:
        if all(needle in words for needle in needles):
            return code
    return otherwise


def _pause(headers: Mapping[str, str]) -> float:
    """Seconds until Alpaca takes messages again, by Retry-After or else X-RateLimit-Reset."""
    asked, reset = headers.get("Retry-After", ""), headers.get("X-RateLimit-Reset", "")
    seconds = DEFAULT_PAUSE
    if asked.isdecimal():
        seconds = float(asked)
    elif moment := _moment(asked):
        seconds = (moment - _broker_time(headers)).total_seconds()
    elif reset.isdecimal():
        seconds = float(reset) - _broker_time(headers).timestamp()
    return min(max(seconds, 0.1), LONGEST_PAUSE)


def _broker_time(headers: Mapping[str, str]) -> datetime:
    return _moment(headers.get("Date", "")) or datetime.now(UTC)


def _moment(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # no date, or an offset of centuries
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
