"""The market data of the TWS peer: for each line its kind, a price, and whether it is halted."""

from typing import TYPE_CHECKING

from tests.brokers.peers import tws_wire as wire
from tests.brokers.peers.tws_session import Session
from tests.brokers.peers.tws_wire import Fields

if TYPE_CHECKING:
    from tests.brokers.peers.tws import Tws

LIVE, DELAYED = 1, 3
MOST_LINES = 100
# Types of ticks, live and delayed.
LAST, HALTED = (4, 68), (49, 90)
TRADING = 0


class Market:
    def __init__(self, tws: "Tws") -> None:
        self._tws = tws

    def subscribe(self, session: Session, fields: Fields) -> None:
        request_id, symbol = int(fields[2]), fields[4]
        if refused := self._refusal(session, symbol):
            self._tws.send(session, wire.error(request_id, *refused))
            return
        session.lines[request_id] = symbol
        if delayed := self._tws.switches.delayed:
            text = "Requested market data is not subscribed. Displaying delayed market data."
            self._tws.send(session, wire.error(request_id, 10167, text))
        self._tws.send(session, wire.market_data_type(request_id, DELAYED if delayed else LIVE))
        self._tws.send(session, wire.tick_parameters(request_id))
        self._tws.send(session, wire.tick_price(request_id, LAST[delayed], "150.25"))
        self._tell(session, request_id, symbol)

    def cancel(self, session: Session, fields: Fields) -> None:
        request_id = int(fields[2])
        if session.lines.pop(request_id, None) is None:
            text = f"Can't find EId with tickerId:{request_id}"
            self._tws.send(session, wire.error(request_id, 300, text))

    def set_kind(self, session: Session, fields: Fields) -> None:
        session.data_kind = int(fields[2])

    def halt(self, symbol: str, state: int) -> None:
        self._tws.switches.halted[symbol] = state
        for session in self._tws.everybody():
            for request_id, watched in session.lines.items():
                if watched == symbol:
                    self._tell(session, request_id, symbol)

    def lose(self) -> None:
        """As after an outage between TWS and its servers."""
        for session in self._tws.everybody():
            session.lines.clear()
            text = "Connectivity between IBKR and TWS has been restored - data lost."
            self._tws.send(session, wire.error(-1, 1101, text))

    def _refusal(self, session: Session, symbol: str) -> tuple[int, str] | None:
        if symbol in self._tws.switches.refused_data:
            code, text = self._tws.switches.refused_data[symbol]
            return int(str(code)), str(text)
        if self._tws.switches.delayed and session.data_kind != DELAYED:
            return 354, "Requested market data is not subscribed."
        if len(session.lines) >= MOST_LINES:
            return 101, "Max number of tickers has been reached"
        return None

    def _tell(self, session: Session, request_id: int, symbol: str) -> None:
        kind = HALTED[self._tws.switches.delayed]
        state = self._tws.switches.halted.get(symbol, TRADING)
        self._tws.send(session, wire.tick_generic(request_id, kind, state))
