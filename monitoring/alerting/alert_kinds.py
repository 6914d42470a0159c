"""The kinds of alerts: what ends each, and what a person can do about it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class AlertKind(StrEnum):
    SLIPPAGE = "SLIPPAGE"
    FAILED_ORDERS = "FAILED_ORDERS"
    SLOW_EXECUTION = "SLOW_EXECUTION"
    VWAP_DEVIATION = "VWAP_DEVIATION"
    BEHIND_SCHEDULE = "BEHIND_SCHEDULE"
    INCOMPLETE = "INCOMPLETE"
    OVERFILLED = "OVERFILLED"
    UNKNOWN_OUTCOME = "UNKNOWN_OUTCOME"
    LATE_SLICES = "LATE_SLICES"
    BROKER_REJECTS = "BROKER_REJECTS"
    PAUSED = "PAUSED"
    TRADING_HALTED = "TRADING_HALTED"
    BREAKER = "BREAKER"
    APPROVAL_WANTED = "APPROVAL_WANTED"
    SECOND_FACTOR_RESET = "SECOND_FACTOR_RESET"
    FILL_CONFLICT = "FILL_CONFLICT"
    FILL_CORRECTED = "FILL_CORRECTED"
    LATE_FILL = "LATE_FILL"
    MISSING_AT_BROKER = "MISSING_AT_BROKER"
    BROKER_DOWN = "BROKER_DOWN"
    BROKER_DIFFERENCE = "BROKER_DIFFERENCE"
    EXTERNAL_ORDER = "EXTERNAL_ORDER"
    NOT_COMPARED = "NOT_COMPARED"
    DELIVERY_FAILED = "DELIVERY_FAILED"
    PROCESS_TROUBLE = "PROCESS_TROUBLE"
    WRONG_CLOCK = "WRONG_CLOCK"
    DISK_LOW = "DISK_LOW"
    DATABASE_AWAY = "DATABASE_AWAY"


class Basis(StrEnum):
    """What an alert of a kind rests on, and so what can end it."""

    ORDER = "ORDER"  # the state of one order: over when its facts say so
    SYSTEM = "SYSTEM"  # a state of the whole service: over when an evaluation finds it no more
    EVENT = "EVENT"  # something that has happened: a person acknowledges it


@dataclass(frozen=True, slots=True)
class About:
    """`ends` completes "ended because ..."; of an event, it says what a person confirms."""

    basis: Basis
    ends: str
    remedy: str


ABOUT: Mapping[AlertKind, About] = {
    AlertKind.SLIPPAGE: About(
        Basis.ORDER,
        "the cost against arrival is within its threshold again",
        "Increase the time window or the number of slices, use VWAP instead of TWAP for a large"
        " order, and check the market's liquidity before the next one.",
    ),
    AlertKind.FAILED_ORDERS: About(
        Basis.EVENT,
        "a person has looked at the day's failures",
        "Check the broker's connectivity (manage.py check_broker), the buying power, the market"
        " hours and the risk limits.",
    ),
    AlertKind.SLOW_EXECUTION: About(
        Basis.ORDER,
        "the order has ended within its time",
        "Reduce the time window or the number of slices, use TWAP instead of VWAP, or a market"
        " order for what is urgent.",
    ),
    AlertKind.VWAP_DEVIATION: About(
        Basis.ORDER,
        "the average price is within its threshold of the market VWAP again",
        "Update the volume profile with recent data (manage.py learn_profiles), increase the"
        " slice count, avoid low-liquidity periods, or consider TWAP.",
    ),
    AlertKind.BEHIND_SCHEDULE: About(
        Basis.ORDER,
        "the order has caught up with its schedule or has ended",
        "See what held its slices back (manage.py explain ID); raise the limit price or the"
        " participation cap, or extend the window with an amendment.",
    ),
    AlertKind.INCOMPLETE: About(
        Basis.ORDER,
        "a late execution has completed the order",
        "See manage.py explain ID for each slice; send a new order for the rest if it is still"
        " wanted, with a longer window or a limit nearer to the market.",
    ),
    AlertKind.OVERFILLED: About(
        Basis.ORDER,
        "a correction of the broker has brought the executions back to what was ordered",
        "Check the position with the broker, and trade the excess back if it is real.",
    ),
    AlertKind.UNKNOWN_OUTCOME: About(
        Basis.ORDER,
        "the outcome of the child is known",
        "Ask the broker about the child; do not send its shares again before its answer.",
    ),
    AlertKind.LATE_SLICES: About(
        Basis.SYSTEM,
        "no slice is late any more",
        "Check that the dispatch loop and the workers run (/readyz).",
    ),
    AlertKind.BROKER_REJECTS: About(
        Basis.EVENT,
        "a person has looked at the refusals",
        "Read the broker's words (manage.py explain ID); check the buying power, the symbol's"
        " rules and the account's permissions.",
    ),
    AlertKind.PAUSED: About(
        Basis.ORDER,
        "the order is not paused any more",
        "Remove the cause, then manage.py resume ID, or manage.py cancel ID.",
    ),
    AlertKind.TRADING_HALTED: About(
        Basis.SYSTEM,
        "the trading state has changed",
        "Remove the cause, then manage.py resume_trading with the same scope.",
    ),
    AlertKind.BREAKER: About(
        Basis.SYSTEM,
        "a person has resumed what it held",
        "Find and remove the cause; then resume what it holds (manage.py breakers).",
    ),
    AlertKind.APPROVAL_WANTED: About(
        Basis.SYSTEM,
        "a second person has approved or the time for it is over",
        "Ask the one who proposed it why; if you agree, ask for the same yourself.",
    ),
    AlertKind.SECOND_FACTOR_RESET: About(
        Basis.SYSTEM,
        "the person has enrolled again or a day has passed",
        "Ask the person by voice whether they wanted it; if not, deactivate the user.",
    ),
    AlertKind.FILL_CONFLICT: About(
        Basis.EVENT,
        "a person has compared both reports",
        "Compare the two reports with the broker's statement.",
    ),
    AlertKind.FILL_CORRECTED: About(
        Basis.EVENT,
        "a person has seen the correction",
        "Check the order's figures and the position.",
    ),
    AlertKind.LATE_FILL: About(
        Basis.EVENT,
        "a person has seen the late execution",
        "Check the order's quantity and the position.",
    ),
    AlertKind.MISSING_AT_BROKER: About(
        Basis.EVENT,
        "a person has asked the broker",
        "Ask the broker about the child and compare the account (manage.py reconcile).",
    ),
    AlertKind.BROKER_DOWN: About(
        Basis.SYSTEM,
        "the broker is reachable again",
        "Check the broker's status page and its gateway (manage.py check_broker); slices wait and"
        " are caught up once it is back.",
    ),
    AlertKind.BROKER_DIFFERENCE: About(
        Basis.SYSTEM,
        "our records and the broker's agree again",
        "Compare the account with the broker (manage.py reconcile) before trading its symbol on.",
    ),
    AlertKind.EXTERNAL_ORDER: About(
        Basis.SYSTEM,
        "the broker does not show the order any more",
        "Find out who sent it; nothing of ours will touch it.",
    ),
    AlertKind.NOT_COMPARED: About(
        Basis.SYSTEM,
        "a comparison with the broker has succeeded",
        "Check the broker's connectivity (manage.py check_broker).",
    ),
    AlertKind.DELIVERY_FAILED: About(
        Basis.SYSTEM,
        "the channel takes messages again",
        "Mend the channel's address or its rights, then try it with manage.py test_alert"
        " (orders:NAME with manage.py test_webhook NAME).",
    ),
    AlertKind.PROCESS_TROUBLE: About(
        Basis.SYSTEM,
        "the processes can work again or have been replaced",
        "Mend what they wait for (/readyz shows each part); they go on by themselves.",
    ),
    AlertKind.WRONG_CLOCK: About(
        Basis.SYSTEM,
        "the clock is right again or its process has ended",
        "Set the clock of that machine, for example by NTP, and see why it went wrong.",
    ),
    AlertKind.DISK_LOW: About(
        Basis.SYSTEM,
        "the disk has room again",
        "Make room on that disk, first of all old logs and backups; cancels work meanwhile.",
    ),
    AlertKind.DATABASE_AWAY: About(
        Basis.EVENT,
        "a person has looked at the outage",
        "Check PostgreSQL, and the orders that were due meanwhile (manage.py orders).",
    ),
}

OF_ORDERS = frozenset(kind for kind, about in ABOUT.items() if about.basis == Basis.ORDER)
OF_SYSTEM = frozenset(kind for kind, about in ABOUT.items() if about.basis == Basis.SYSTEM)
