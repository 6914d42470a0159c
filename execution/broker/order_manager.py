"""The one door to the brokers."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from django.db import Error
from django.utils.module_loading import import_string

from deepstack import django_setup
from deepstack.config import Config, ConfigError
from deepstack.config_copies import checked
from execution.broker import BROKERS
from execution.broker.base import (
    AccountBroker,
    Broker,
    BrokerError,
    BrokerOrder,
    BrokerRejected,
    BrokerUnavailable,
    LocalBroker,
    NativeBroker,
    OutcomeUnknown,
    ProvingBroker,
    Ticket,
)
from execution.broker.live_readiness import live_problems

if TYPE_CHECKING:
    from execution.broker.admission import Admission

_Answer = TypeVar("_Answer")


class OrderManager:
    """Hands child orders to the broker that the trading mode names.

    Raises ConfigError when a value of the configuration is none for its key, or when live trading
    is not set up as the system checks demand.
    """

    def __init__(self, config: Config, paper_trader: Broker | None = None) -> None:
        self.config = checked(config)
        if config.trading_mode == "live":
            self.broker = _live_broker(config)
        else:
            self.broker = paper_trader or _open_broker("paper", config)
        # Why no child of an account may leave this process now.
        self.closed_for: Callable[[str], str] = lambda account: ""
        if config.trading_mode == "live":
            self.close_until_compared()

    def close_until_compared(self) -> "Admission | None":
        """Let no child leave before its account is compared anew; None where the broker says
        nothing that could be compared."""
        if not isinstance(self.broker, AccountBroker):
            return None
        admission: Admission = import_string("execution.broker.admission.Admission")(self.name)
        self.closed_for = admission.closed_for
        return admission

    @property
    def name(self) -> str:
        return self.broker.name

    @property
    def natives(self) -> frozenset[str]:
        """The broker's own algorithms, which may work a child."""
        return self.broker.natives if isinstance(self.broker, NativeBroker) else frozenset()

    @property
    def on_own_connection(self) -> bool:
        """Whether `place` is to be called on the database connection with the sender's lock."""
        return isinstance(self.broker, LocalBroker) and self.broker.on_own_connection

    def place(self, ticket: Ticket, *, now: datetime) -> BrokerOrder:
        """Send a child order. Whatever else goes wrong, in a broker or its rows, is
        OutcomeUnknown."""
        if why := self.closed_for(ticket.account):
            raise BrokerUnavailable(why)
        if ticket.native is not None and ticket.native.name not in self.natives:
            # Its limit bounds an algorithm that works it over time; at once it would be too much.
            raise BrokerRejected("NATIVE_UNAVAILABLE", f"{self.name} has no {ticket.native.name}")
        try:
            return answered(self.broker.place, ticket, now=now)
        except Error as error:  # the request may have left before
            raise OutcomeUnknown(f"{type(error).__name__}: {error}") from error

    def cancel(self, client_order_id: str, *, now: datetime) -> None:
        answered(self.broker.cancel, client_order_id, now=now)

    def find(self, client_order_id: str, *, now: datetime) -> BrokerOrder | None:
        return answered(self.broker.find, client_order_id, now=now)

    def never_arrived(self, client_order_id: str) -> bool:
        """Whether a "not found" of the broker's is a proof; see ProvingBroker."""
        broker = self.broker
        return isinstance(broker, ProvingBroker) and broker.never_arrived(client_order_id)

    def reports(self, account: str, since: datetime, *, now: datetime) -> Sequence[BrokerOrder]:
        return answered(self.broker.reports, account, since, now=now)


def answered(ask: Callable[..., _Answer], *about: object, now: datetime) -> _Answer:
    """An answer that a client library stumbles over is none: nobody knows what became of it."""
    try:
        return ask(*about, now=now)
    except (BrokerError, Error):  # a lost database is not the broker's fault
        raise
    except Exception as error:
        raise OutcomeUnknown(f"{type(error).__name__}: {error}") from error


def _live_broker(config: Config) -> Broker:
    problems = live_problems(config)
    if problems:
        raise ConfigError("\n".join(f"{problem.id}: {problem.msg}" for problem in problems))
    return _open_broker(config.live_broker, config)


def _open_broker(name: str, config: Config) -> Broker:
    django_setup.ensure()
    broker: Broker = import_string(BROKERS[name])(config=config)
    return broker
