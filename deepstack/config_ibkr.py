"""The settings of the connection to Interactive Brokers."""

from typing import Annotated, Literal

from pydantic import Field

from deepstack.config_types import PositiveSeconds, Section


class Ibkr(Section):
    # None: the one that is installed. Both may be, each in a folder of its own.
    library: Literal["ib_insync", "ib_async"] | None = None
    pick_up_seconds: PositiveSeconds = 3.0  # what the gateway has not sent by then is withdrawn
    answer_seconds: PositiveSeconds = 5.0  # an order that TWS leaves unanswered is unknown
    request_seconds: PositiveSeconds = 4.0  # for any other request
    heartbeat_seconds: PositiveSeconds = 1.0
    fresh_seconds: PositiveSeconds = 4.0  # silence after which the gateway's book is not believed
    grace_seconds: PositiveSeconds = 2.0  # between the two queries that make an absence definite
    compare_seconds: PositiveSeconds = 120.0  # how often all open orders are compared
    link_patience_seconds: PositiveSeconds = 90.0  # of a lost link, before connecting anew
    # TWS cuts the connection above 50.
    messages_per_second: Annotated[int, Field(ge=10, le=48)] = 45
    # Trading halts by TWS's market data, beside those of `market.halts_from_source`.
    halts_from_tws: bool = True
    # Symbols whose halts are heard of. A login has 100 lines unless it has earned or bought more,
    # and what TWS itself shows takes some of them.
    market_data_lines: Annotated[int, Field(ge=1, le=10_000)] = 80
