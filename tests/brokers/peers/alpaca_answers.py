"""What the Alpaca peer answers to a request that nothing interferes with."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from tests.brokers.peers.alpaca_book import CLOCK, OPEN, Order, Refused
from tests.brokers.peers.alpaca_state import State


@dataclass
class Answers:
    state: State

    def of(
        self, method: str, path: str, body: dict[str, object], asked: dict[str, str]
    ) -> tuple[int, object]:
        book = self.state.book
        if (method, path) == ("POST", "/v2/orders"):
            return 200, self._place(body)
        if (method, path) == ("GET", "/v2/orders"):
            return 200, self._list(asked)
        if path == "/v2/orders:by_client_order_id":
            order = book.by_client_id.get(asked["client_order_id"])
            if order is None or order.seen_from > book.now():
                raise Refused(404, 40410000, f"order not found for {asked['client_order_id']}")
            return 200, order.as_json()
        if path.startswith("/v2/orders/"):
            return self._one(method, path.removeprefix("/v2/orders/"))
        if path.startswith("/v2/stocks/"):
            return 200, self.state.market.answer(path.removeprefix("/v2/stocks/"), asked)
        if path == "/v2/account/activities/FILL":
            return 200, self._activities(asked)
        return 200, self._account(path)

    def _place(self, body: dict[str, object]) -> object:
        order = self.state.book.place(body)
        self.state.write(kind="accepted", client_order_id=order.client_order_id, id=order.id)
        answer = order.as_json()
        asyncio.get_running_loop().call_soon(self.state.book.acknowledge, order)
        for after, shares in self._plan(order.quantity):
            asyncio.get_running_loop().call_later(after, self._auto_fill, order, shares)
        return answer

    def _plan(self, quantity: int) -> list[tuple[float, int]]:
        if self.state.weather is not None:
            return self.state.weather.fills(quantity)
        return [] if self.state.auto_fill is None else [(self.state.auto_fill, quantity)]

    def _auto_fill(self, order: Order, shares: int) -> None:
        if order.status in OPEN:
            self.state.book.fill(order, min(shares, order.quantity - order.filled), order.limit)

    def _one(self, method: str, order_id: str) -> tuple[int, object]:
        order = self.state.book.orders.get(order_id)
        if order is None:
            raise Refused(404, 40410000, f"order not found for {order_id}")
        if method == "DELETE":
            self.state.book.cancel(order)
            return 204, None
        return 200, order.as_json()

    def _list(self, asked: dict[str, str]) -> object:
        chosen = [order.as_json() for order in self.state.book.orders.values()]
        if asked.get("status", "open") == "open":
            ended = ("filled", "canceled", "expired", "rejected", "replaced")
            chosen = [order for order in chosen if order["status"] not in ended]
        if after := asked.get("after"):
            chosen = [order for order in chosen if str(order["submitted_at"]) > after]
        chosen.sort(key=lambda order: str(order["submitted_at"]))
        if asked.get("direction", "desc") == "desc":
            chosen.reverse()
        return chosen[: min(int(asked.get("limit", 50)), 500)]

    def _activities(self, asked: dict[str, str]) -> object:
        now = self.state.book.now()
        rows = [row for shown_from, row in self.state.book.activities if shown_from <= now]
        if order_id := asked.get("order_id"):
            rows = [row for row in rows if row["order_id"] == order_id]
        if after := asked.get("after"):
            rows = [row for row in rows if str(row["transaction_time"]) > after]
        if asked.get("direction", "desc") == "desc":
            rows.reverse()
        if token := asked.get("page_token"):
            ids = [row["id"] for row in rows]
            rows = rows[ids.index(token) + 1 :]
        return rows[: min(int(asked.get("page_size", 100)), 100)]

    def _account(self, path: str) -> object:
        book = self.state.book
        if path == "/v2/account":
            return {
                "id": "e6fe16f3-64a4-4921-8928-cadf02f92f98",
                "account_number": "PA3PEER0001",
                "status": "ACTIVE",
                "currency": "USD",
                "cash": str(book.cash),
                "buying_power": str(book.buying_power),
                "equity": str(book.cash),
                "trading_blocked": False,
                "account_blocked": False,
                "trade_suspended_by_user": False,
                "shorting_enabled": book.shorting,
                "pattern_day_trader": False,
                "multiplier": "2",
                **book.flags,
            }
        if path == "/v2/positions":
            return [
                {
                    "symbol": symbol,
                    "qty": str(shares),
                    "side": "long" if shares > 0 else "short",
                    "avg_entry_price": "100",
                    "market_value": str(100 * shares),
                }
                for symbol, shares in book.positions.items()
                if shares
            ]
        if path == "/v2/clock":
            return {
                "timestamp": book.now().strftime(CLOCK),
                "is_open": True,
                "next_open": book.now().strftime(CLOCK),
                "next_close": (book.now() + timedelta(hours=4)).strftime(CLOCK),
            }
        raise Refused(404, 40410000, "endpoint not found.")
