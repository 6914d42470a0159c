"""Messages of the TWS socket protocol at server version 176, as TWS writes and reads them.

A frame is a four-byte big-endian length and fields that each end in NUL. An empty field is unset.
"""

import asyncio
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

SERVER_VERSION = 176
NEW_YORK = ZoneInfo("America/New_York")
Fields = list[str]


def frame(fields: Sequence[object]) -> bytes:
    body = "".join(f"{_text(each)}\0" for each in fields).encode()
    return struct.pack(">I", len(body)) + body


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


async def read_frame(reader: asyncio.StreamReader) -> bytes:
    """The body of the next frame; raises IncompleteReadError at the end."""
    (length,) = struct.unpack(">I", await reader.readexactly(4))
    return await reader.readexactly(length)


def fields_of(body: bytes) -> Fields:
    return body.decode().split("\0")[:-1]


@dataclass(frozen=True, slots=True)
class Placement:
    """What a placeOrder message says."""

    order_id: int
    con_id: int
    symbol: str
    action: str
    quantity: int
    order_type: str
    limit_price: Decimal
    tif: str
    account: str
    ref: str
    outside_rth: bool
    algo: str
    algo_params: tuple[tuple[str, str], ...]


# Where the algorithm stands in a placeOrder of a plain stock without scale, hedge or conditions.
_ALGO = 83


def placement(fields: Fields) -> Placement:
    algo = fields[_ALGO]
    pairs = fields[_ALGO + 2 : _ALGO + 2 + 2 * int(fields[_ALGO + 1])] if algo else []
    return Placement(
        order_id=int(fields[1]),
        con_id=int(fields[2] or 0),
        symbol=fields[3],
        action=fields[16],
        quantity=int(float(fields[17])),
        order_type=fields[18],
        limit_price=Decimal(fields[19] or 0),
        tif=fields[21],
        account=fields[23],
        ref=fields[26],
        outside_rth=fields[33] == "1",
        algo=algo,
        algo_params=tuple(zip(pairs[::2], pairs[1::2], strict=True)),
    )


@dataclass(slots=True)
class Execution:
    exec_id: str
    quantity: int
    price: Decimal
    at: datetime
    cumulative: int
    commission: Decimal = Decimal("1.00")


@dataclass(slots=True)
class Order:
    """One order in the book of the exchange."""

    client_id: int
    perm_id: int
    said: Placement
    status: str = "Submitted"
    filled: int = 0
    executions: list[Execution] = field(default_factory=list)
    completed_status: str = ""
    cancel_asked: bool = False

    @property
    def leaves(self) -> int:
        return self.said.quantity - self.filled

    @property
    def open(self) -> bool:
        return self.status not in ("Filled", "Cancelled", "ApiCancelled") and not (
            self.status == "Inactive" and self.completed_status
        )

    @property
    def average(self) -> Decimal:
        shares = sum(each.quantity for each in self.executions)
        paid = sum((each.quantity * each.price for each in self.executions), Decimal(0))
        return paid / shares if shares else Decimal(0)


def stock(symbol: str) -> Fields:
    """The eleven contract fields of a message from the server."""
    return [str(con_id(symbol)), symbol, "STK", "", "0", "?", "", "SMART", "USD", symbol, "NMS"]


def con_id(symbol: str) -> int:
    return 265_000 + zlib.crc32(symbol.encode()) % 10**8


def order_status(order: Order, *, status: str = "", held: str = "") -> list[object]:
    return [
        3, order.said.order_id, status or order.status, order.filled, order.leaves, order.average,
        order.perm_id, 0, order.executions[-1].price if order.executions else 0,
        order.client_id, held, 0,
    ]  # fmt: skip


def execution_details(
    order: Order, execution: Execution, *, req_id: int, zone: str
) -> list[object]:
    side = "BOT" if order.said.action == "BUY" else "SLD"
    return [
        11, req_id, order.said.order_id, *stock(order.said.symbol), execution.exec_id,
        stamp(execution.at, zone), order.said.account, "ISLAND", side, execution.quantity,
        execution.price, order.perm_id, order.client_id, 0, execution.cumulative, order.average,
        order.said.ref, "", "", "", 2,
    ]  # fmt: skip


def stamp(at: datetime, zone: str) -> str:
    """TWS names its zone `US/Eastern`, and older ones name none."""
    local = at.astimezone(NEW_YORK)
    return f"{local:%Y%m%d %H:%M:%S} {zone}" if zone else f"{local:%Y%m%d  %H:%M:%S}"


def commission_report(execution: Execution) -> list[object]:
    return [59, 1, execution.exec_id, execution.commission, "USD", 0, "", ""]


def error(req_id: int, code: int, text: str) -> list[object]:
    return [4, 2, req_id, code, text, ""]


def _algo(said: Placement) -> list[object]:
    if not said.algo:
        return [""]
    pairs = [word for pair in said.algo_params for word in pair]
    return [said.algo, len(said.algo_params), *pairs]


def open_order(order: Order, *, status: str = "") -> list[object]:
    said = order.said
    # TWS writes "None" for no delta-neutral order, and then eight fields about it.
    delta_neutral: list[object] = ["None", "", 0, "", "", "", "?", 0, 0, ""]
    return [
        5, said.order_id, *stock(said.symbol), said.action, said.quantity, said.order_type,
        said.limit_price, "0.0", said.tif, "", said.account, "", 0, said.ref, order.client_id,
        order.perm_id, said.outside_rth, 0, 0, "", "", "", "", "", "", "", "", "", "", "", 0, "",
        -1, 0, "", "", "", "", "", "", 0, 0, 0, "", 3, 0, 0, "", 0, 0, "", 0, *delta_neutral,
        0, "", "", "", "", "", "", 0, 0, 0, "", "", "", "", 0, "", "IB", 0, 0, *_algo(said),
        0, 0, status or order.status, *[""] * 9, "", "", "", "", "", 0, 0, 0,
        "None", "", "", "", "", "", "", 0, "", "", "", 0, 0, 0, 0, 0, "", "", 0,
        "", "", "", "", "",
    ]  # fmt: skip


def completed_order(order: Order) -> list[object]:
    said = order.said
    return [
        101, *stock(said.symbol), said.action, said.quantity, said.order_type, said.limit_price,
        "0.0", said.tif, "", said.account, "", 0, said.ref, order.perm_id, said.outside_rth, 0, 0,
        "", "", "", "", "", "", "", "", "", "", 0, "", -1, "", "", "", "", "", "", 0, 0, "", 3, 0,
        "", 0, "None", "", 0, 0, 0, "", 0, "", "", "", "", 0, 0, 0, "", "", "", "", "", "IB", 0, 0,
        *_algo(said), 0, order.status, 0, 0, 0, "", "", 0, 0, 0, "", order.filled, 0, 0, "", 0, 0,
        0, stamp(datetime.now(UTC), "US/Eastern"), order.completed_status,
        "", "", "", "", "",
    ]  # fmt: skip


def contract_details(req_id: int, symbol: str, exchange: str = "SMART") -> list[object]:
    return [
        10, req_id, symbol, "STK", "", "0", "", exchange, "USD", symbol, "NMS", "NMS",
        con_id(f"{symbol}{exchange.removeprefix('SMART')}"), "0.01", "",
        "ADAPTIVE,ALGO,LMT,MKT,TWAP,VWAP", "SMART,ISLAND", 1, 0, f"{symbol} INC", "NASDAQ", "",
        "Technology", "Computers", "Computers", "US/Eastern", "", "", "", "", 0, 1, "", "", "26",
        "", "COMMON", "0.0001", "0.0001", "100",
    ]  # fmt: skip


def market_data_type(req_id: int, kind: int) -> list[object]:
    return [58, 1, req_id, kind]


def tick_parameters(req_id: int) -> list[object]:
    return [81, req_id, "0.01", "9c0001", 3]


def tick_price(req_id: int, kind: int, price: str) -> list[object]:
    return [1, 6, req_id, kind, price, 100, 0]


def tick_generic(req_id: int, kind: int, value: float) -> list[object]:
    return [45, 6, req_id, kind, value]
