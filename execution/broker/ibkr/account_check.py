"""What the gateway and its login allow, in words for the person who runs them."""

from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from django.utils import timezone

from deepstack.config import Config
from execution.broker.connection_check import Finding, Grade
from execution.broker.ibkr.system_checks import LIBRARIES, ibkr_problems, library_problems
from execution.models import IbkrGateway, IbkrOrder

# Where TWS and IB Gateway listen unless somebody has changed it.
PORTS = {7497: "paper", 7496: "live", 4002: "paper", 4001: "live"}
FRESH_LOOK_SECONDS = 300.0


def is_paper(account: str) -> bool:
    """Codes of paper accounts begin with a D: DU123 beside the live U123, DF123 beside F123."""
    return account.startswith("D")


def findings(gateway: IbkrGateway, config: Config) -> Iterator[Finding]:
    yield _money(gateway, config)
    yield _account(gateway, config)
    yield _state(gateway)
    yield _look(gateway)
    yield _lost(gateway)
    yield Finding(
        Grade.GOOD,
        "messages",
        f"at most {config.ibkr.messages_per_second} a second, cancels first; TWS cuts above 50",
    )
    yield Finding(
        Grade.LOOK,
        "short sales",
        "TWS does not say: a sale of shares that are not held is refused, or held for a locate",
    )
    yield _library(config)
    for problem in ibkr_problems(config):
        yield Finding(Grade.BAD, "settings", f"{problem.msg} {problem.hint or ''}".strip())


def _money(gateway: IbkrGateway, config: Config) -> Finding:
    if not gateway.accounts:
        return Finding(Grade.BAD, "mode", "unknown: TWS has named no account yet")
    kind = "paper" if all(is_paper(each) for each in gateway.accounts) else "live"
    usual = PORTS.get(config.ibkr_port, kind)
    odd = "" if usual == kind else f"; port {config.ibkr_port} is usually that of a {usual} login"
    if kind == "live":
        return Finding(Grade.LOOK, "mode", f"REAL MONEY{odd}")
    return Finding(Grade.LOOK if odd else Grade.GOOD, "mode", f"paper: no real money{odd}")


def _account(gateway: IbkrGateway, config: Config) -> Finding:
    there = ", ".join(gateway.accounts) or "none"
    if config.account in gateway.accounts:
        return Finding(Grade.GOOD, "account", f"{config.account}, of this login's {there}")
    if config.account == "default" and len(gateway.accounts) == 1:
        return Finding(Grade.GOOD, "account", f"'default' is {there}, the only one of this login")
    words = f"ACCOUNT is {config.account!r}, and this login has {there}: orders would be refused"
    return Finding(Grade.BAD, "account", words)


def _state(gateway: IbkrGateway) -> Finding:
    ready = gateway.state == IbkrGateway.State.READY
    words = f"{gateway.state} in process {gateway.process or 'unknown'}"
    return Finding(
        Grade.GOOD if ready else Grade.BAD,
        "gateway",
        words if ready else f"{words}: {gateway.detail or 'nothing is sent'}",
    )


def _look(gateway: IbkrGateway) -> Finding:
    """A read-only API answers neither open nor completed orders."""
    last = gateway.reconciled_at_real
    if last is None:
        words = "never compared: is the API read-only (TWS: API settings, Read-Only API)?"
        return Finding(Grade.BAD, "permission", words)
    age = (timezone.now() - last).total_seconds()
    words = f"orders may be read, compared {age:.0f} s ago; whether they may be sent, only an order"
    return Finding(
        Grade.GOOD if age < FRESH_LOOK_SECONDS else Grade.LOOK,
        "permission",
        f"{words} shows (--roundtrip, on paper)",
    )


def _lost(gateway: IbkrGateway) -> Finding:
    lost = gateway.orders.filter(stage=IbkrOrder.Stage.LOST).count()
    if lost:
        words = f"{lost} acknowledged once and in none of TWS's lists now: see the admin"
        return Finding(Grade.LOOK, "lost orders", words)
    return Finding(Grade.GOOD, "lost orders", "none")


def _library(config: Config) -> Finding:
    found = [name for name in LIBRARIES if find_spec(name)]
    try:
        words = ", ".join(f"{name} {version(name)}" for name in found) or "none"
    except PackageNotFoundError:
        words = ", ".join(found)
    return Finding(Grade.BAD if library_problems(config) else Grade.GOOD, "client library", words)
