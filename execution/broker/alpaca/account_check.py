"""What an Alpaca account may do, in words for the person who runs it."""

from collections.abc import Iterator

from deepstack.config import Config
from execution import heartbeat
from execution.broker.alpaca import endpoints
from execution.broker.base import OutcomeUnknown
from execution.broker.connection_check import Finding, Grade
from execution.models import Heartbeat

BLOCKS = {
    "trading_blocked": "Alpaca has blocked trading in it",
    "account_blocked": "Alpaca has blocked it",
    "trade_suspended_by_user": "trading is suspended in its settings at Alpaca",
}


def permissions(account: object, address: str, config: Config) -> Iterator[Finding]:
    if not isinstance(account, dict):
        raise OutcomeUnknown(f"account: not an object but {str(account)[:100]!r}")
    yield _money(address)
    number, status = account.get("account_number"), account.get("status")
    grade = Grade.GOOD if status == "ACTIVE" else Grade.BAD
    yield Finding(grade, "account", f"{number} is {status}, in {account.get('currency')}")
    for field, words in BLOCKS.items():
        if account.get(field) is not False:
            yield Finding(Grade.BAD, "account", words)
    yield _shorting(account.get("shorting_enabled"))
    yield Finding(
        Grade.GOOD,
        "messages",
        f"at most {config.alpaca_requests_per_minute} a minute, of all workers together",
    )
    yield _volume(config)
    yield _listening()


def _money(address: str) -> Finding:
    if endpoints.is_trial(address):
        return Finding(Grade.GOOD, "mode", "a paper account: no real money")
    return Finding(Grade.LOOK, "mode", "REAL MONEY")


def _shorting(allowed: object) -> Finding:
    if allowed is True:
        return Finding(Grade.GOOD, "short sales", "allowed")
    return Finding(Grade.LOOK, "short sales", "not allowed: only shares that are held can be sold")


def _volume(config: Config) -> Finding:
    if config.alpaca_data_feed == "sip":
        return Finding(Grade.GOOD, "volume", "of all exchanges (feed sip)")
    words = (
        "of IEX alone (feed iex), 2 to 3 % of the market: shares of the volume are shares of that"
    )
    return Finding(Grade.LOOK, "volume", words)


def _listening() -> Finding:
    if heartbeat.alive(Heartbeat.Kind.LISTENER):
        return Finding(Grade.GOOD, "executions", "booked within milliseconds (listen_alpaca runs)")
    words = "booked some seconds late: `manage.py listen_alpaca` does not run"
    return Finding(Grade.LOOK, "executions", words)
