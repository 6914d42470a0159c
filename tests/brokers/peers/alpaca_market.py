"""The market data of the Alpaca peer: quotes and minute bars, as they were set."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from tests.brokers.peers.alpaca_book import CLOCK, Refused

PAGE = 1_000  # as small as Alpaca's default, whatever the client asks for
KNOWN = ("AAPL", "MSFT", "GOOGL")


@dataclass
class Market:
    """A symbol with no quote of its own has a fresh one around 150 dollars if it is well known."""

    quotes: dict[str, list[dict[str, object]]] = field(default_factory=dict)
    bars: dict[str, list[dict[str, object]]] = field(default_factory=dict)

    def quote(self, symbol: str, **row: object) -> None:
        stamp = datetime.now(UTC).strftime(CLOCK)
        made = {"t": stamp, "bs": 3, "as": 5, "bx": "V", "ax": "V", "c": ["R"], "z": "C", **row}
        self.quotes.setdefault(symbol, []).append(made)

    def minutes(self, symbol: str, start: datetime, count: int, volume: int) -> None:
        for minute in range(count):
            stamp = (start + timedelta(minutes=minute)).strftime(CLOCK)
            price = 150 + minute * 0.01
            row: dict[str, object] = {"t": stamp, "v": volume, "n": 9, "vw": price + 0.005}
            prices = {"o": price, "h": price + 0.03, "l": price - 0.02, "c": price + 0.01}
            self.bars.setdefault(symbol, []).append(row | prices)

    def answer(self, what: str, asked: dict[str, str]) -> object:
        symbol = asked["symbols"]
        if asked.get("feed") == "sip":
            words = "subscription does not permit querying recent SIP data"
            raise Refused(403, 40310000, words)
        if what == "quotes/latest":
            row = self._latest(symbol)
            return {"quotes": {symbol: row} if row else {}}
        rows = self.bars if what == "bars" else self.quotes
        return self._page(what, symbol, rows.get(symbol, []), asked)

    def _latest(self, symbol: str) -> dict[str, object] | None:
        if symbol in self.quotes:
            return self.quotes[symbol][-1]
        stamp = datetime.now(UTC).strftime(CLOCK)
        common = {"t": stamp, "bp": 149.99, "ap": 150.01, "bs": 200, "as": 300}
        return {**common, "bx": "V", "ax": "V", "c": ["R"], "z": "C"} if symbol in KNOWN else None

    def _page(
        self, what: str, symbol: str, rows: list[dict[str, object]], asked: dict[str, str]
    ) -> object:
        chosen = [row for row in rows if asked["start"] <= str(row["t"]) <= asked["end"]]
        if asked.get("sort") == "desc":
            chosen.reverse()
        first = int(asked.get("page_token", 0))
        last = first + min(int(asked["limit"]), PAGE)
        token = str(last) if last < len(chosen) else None
        page = chosen[first:last]
        return {what: {symbol: page} if page else {}, "next_page_token": token}
