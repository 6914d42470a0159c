"""The hours in which a child may leave, by the exchange's calendar as it is now: a session may be
shortened or cancelled while its orders are worked."""

from datetime import datetime

from execution.domain.risk_checks import Denial
from execution.domain.session import Session
from execution.market.base import MarketData
from execution.models import Order
from execution.planning import trading_window
from execution.planning.trading_window import outlasts_regular_hours


def closed(order: Order, market: MarketData, *, now: datetime) -> Denial | None:
    """Why nothing of the order may leave at `now`. A broker would keep what comes after the close
    for the next session, or work it in the extended hours."""
    session = market.session(now)
    if session is not None and _is_open(order, session, now):
        return None
    return trading_window.closed(market, at=now)


def _is_open(order: Order, session: Session, now: datetime) -> bool:
    if session.always or session.is_regular(now):
        return True
    return outlasts_regular_hours(order, session) and session.is_extended(now)


def extended(order: Order, market: MarketData, *, now: datetime) -> bool:
    """Whether a child that leaves at `now` is to be worked outside the regular hours as well."""
    session = market.session(now)
    return session is not None and outlasts_regular_hours(order, session)
