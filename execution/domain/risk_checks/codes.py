"""Every code with which we refuse: what it means, which numbers it carries, what to do.

`docs/denials.md` is made of this table.
"""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Code:
    """`numbers`: the names that the denial carries. `passes`: a child waits, as the reason may go
    by itself: missing data, and figures of the market or of other orders. Without it the reason is
    a fact: the child is skipped and its shares return to the plan."""

    meaning: str
    numbers: tuple[str, ...]
    remedy: str
    passes: bool = False


CODES: dict[str, Code] = {
    "TRADING_HALTED": Code(
        "a trading state of the system, the account, the strategy or the symbol is HALTED",
        ("scope", "state"),
        "a named person resumes trading: `manage.py resume_trading`",
        passes=True,
    ),
    "REDUCING_ONLY": Code(
        "a trading state is REDUCING and the order does not bring the position closer to zero",
        ("scope", "position", "pending", "quantity"),
        "order less, or the other side; a named person resumes trading",
        passes=True,
    ),
    "SYMBOL_RESTRICTED": Code(
        "the symbol is on the restricted list of everybody or of the account",
        ("reason",),
        "take it off the list in the admin, if that is right",
    ),
    "QUANTITY_EXCEEDS_MAX": Code(
        "more shares than one order may have",
        ("max", "quantity"),
        "order less, or raise max_order_quantity",
    ),
    "PRICE_UNKNOWN": Code(
        "no price is known, so the value cannot be bounded",
        ("quantity",),
        "wait for a quote",
        passes=True,
    ),
    "NOTIONAL_EXCEEDS_MAX": Code(
        "worth more than one order may be",
        ("max", "notional"),
        "order less, or raise max_order_notional",
    ),
    "DECISION_PRICE_OFF_MARKET": Code(
        "the decision price is too far outside the market's bid and ask: a mistyped price, another "
        "currency or unit, or the price of another day",
        ("max", "off", "decision_price", "bid", "ask"),
        "send the price of now, or none; limits.decision_collar is the bound",
    ),
    "WOULD_PRICE_OFF_MARKET": Code(
        "the price at which all that is left is taken is so far beyond the market that all would "
        "be taken at once: a mistyped price, another currency or unit",
        ("max", "off", "would_price", "bid", "ask"),
        "send the price that is meant, or a MARKET order; limits.decision_collar is the bound",
    ),
    "ADV_UNKNOWN": Code(
        "a limit on the share of the daily volume is set, and the volume is not known",
        ("max",),
        "send average_daily_volume with the signal",
        passes=True,
    ),
    "ADV_SHARE_EXCEEDS_MAX": Code(
        "the whole order is too large a share of the average daily volume",
        ("max", "share"),
        "order less, or raise max_adv_share",
    ),
    "QUOTE_MISSING": Code(
        "the market has no quote for the symbol",
        ("symbol",),
        "check the symbol and the market data",
        passes=True,
    ),
    "SYMBOL_HALTED": Code(
        "the exchange has halted trading in the symbol",
        ("since", "reason"),
        "nothing while it lasts; where it is over, give it its end in the admin (Trading halts)",
        passes=True,
    ),
    "QUOTE_STALE": Code(
        "the last quote is too old: missing data, or a halt that is not known",
        ("max_seconds", "seconds"),
        "check the market data",
        passes=True,
    ),
    "QUOTE_CROSSED": Code(
        "the bid is above the ask, or not above zero",
        ("bid", "ask"),
        "check the market data",
        passes=True,
    ),
    "SPREAD_TOO_WIDE": Code(
        "the spread is wider than anybody should pay",
        ("max_bps", "bps"),
        "wait, or raise limits.max_spread_bps",
        passes=True,
    ),
    "PRICE_OUTSIDE_COLLAR": Code(
        "the limit is too far beyond the market's mid",
        ("max", "beyond", "mid"),
        "check the price; limits.price_collar is the bound",
        passes=True,
    ),
    "POSITION_BREAK": Code(
        "the broker has other shares of the symbol than our records explain; its orders are taken "
        "and wait",
        ("ours", "theirs"),
        "find out why (`manage.py reconcile`, docs/restore.md); what is right as the broker has it "
        "a named person accepts: `manage.py accept_break`",
        passes=True,
    ),
    "POSITION_UNKNOWN": Code(
        "the position is bounded and not known: the account was never compared with its broker",
        ("max", "scope"),
        "its orders wait for the first comparison; `manage.py reconcile` shows what stops it",
        passes=True,
    ),
    "POSITION_EXCEEDS_MAX": Code(
        "the position would be too large once all live orders on this side are done",
        ("max", "position", "pending", "worst"),
        "order less, cancel another order, or raise max_position",
        passes=True,
    ),
    "OPPOSITE_ORDER_WORKING": Code(
        "an own order works on the other side at a price with which this one would trade",
        ("limit", "opposite_limit"),
        "wait for its end, or cancel it",
        passes=True,
    ),
    "DUPLICATE_ORDER": Code(
        "the same account, symbol, side and quantity was ordered a moment ago",
        ("seconds", "order"),
        "send a client_reference with each order that is meant",
    ),
    "OPEN_ORDERS_UNKNOWN": Code(
        "the number of live orders is bounded and could not be read",
        ("max",),
        "check the database",
        passes=True,
    ),
    "OPEN_ORDERS_EXCEED_MAX": Code(
        "the account has too many live orders",
        ("max", "open_orders"),
        "wait for orders to end, cancel some, or raise max_open_orders",
        passes=True,
    ),
    "ORDER_RATE_UNKNOWN": Code(
        "the orders of a strategy are bounded and could not be counted",
        ("max",),
        "check the database",
        passes=True,
    ),
    "REPEATED_EXECUTION": Code(
        "too many orders of one strategy within a minute; the strategy (without a name, the "
        "account) is HALTED",
        ("max", "orders"),
        "find out why, then a named person resumes it: `manage.py resume_trading`",
        passes=True,
    ),
    "MESSAGE_RATE_UNKNOWN": Code(
        "the messages of the account are bounded and could not be counted",
        ("max",),
        "check the database",
        passes=True,
    ),
    "MESSAGE_RATE_EXCEEDED": Code(
        "too many orders of the account went to the broker within the last minute",
        ("max", "messages"),
        "nothing, or raise max_messages_per_minute",
        passes=True,
    ),
    "DAILY_LOSS_UNKNOWN": Code(
        "the day's loss is bounded, and a price that it needs is missing",
        ("max",),
        "check the market data",
        passes=True,
    ),
    "DAILY_LOSS": Code(
        "today's fills, marked at the mid, have lost more than allowed",
        ("max", "loss"),
        "a person decides: raise max_daily_loss, or stop for the day",
    ),
    "BUYING_POWER_UNKNOWN": Code(
        "buys are held within the buying power, and the broker does not report it in dollars",
        ("notional",),
        "check the broker: `manage.py check_broker`",
        passes=True,
    ),
    "BUYING_POWER": Code(
        "a buy for more than the account's buying power, less what was sent since it was reported",
        ("left", "notional"),
        "order less, or bring the account money; it is looked at again while the slice lasts",
        passes=True,
    ),
    "HEAT_UNKNOWN": Code(
        "the portfolio's heat is bounded, and equity, a volatility or a price is missing",
        ("max",),
        "set limits.account_equity; check the market data",
        passes=True,
    ),
    "HEAT_EXCEEDS_MAX": Code(
        "positions x daily volatility would be too large a share of equity",
        ("max", "before", "after"),
        "order less, reduce positions, or raise max_portfolio_heat",
        passes=True,
    ),
    "PARTICIPATION_CAP": Code(
        "more than the order's share of what the market has traded",
        ("cap", "allowed", "wanted"),
        "nothing, or raise the cap",
        passes=True,
    ),
    "VOLUME_UNKNOWN": Code(
        "the order has a participation cap, and the market's volume is not known",
        ("symbol",),
        "check the market data",
        passes=True,
    ),
    "ACCOUNT_UNKNOWN": Code(
        "the broker's login has no such account",
        ("account", "accounts"),
        "name one of those accounts with the order, or as ACCOUNT in the configuration",
    ),
    "NATIVE_UNAVAILABLE": Code(
        "an algorithm of the broker's own is asked for, and this broker has none of that name",
        ("native", "broker"),
        "leave `native` out, or trade live through Interactive Brokers",
    ),
    "NATIVE_CAP": Code(
        "a participation cap holds, and the broker's own algorithm has no parameter for it",
        ("native", "cap", "least"),
        "take Vwap, ArrivalPx or PctVol with a cap of at least that, or an algorithm of ours",
    ),
    "AFTER_HOURS_LIMIT_ONLY": Code(
        "outside the regular session only LIMIT orders are taken",
        ("algorithm", "open", "close"),
        "send a LIMIT order, or wait for the open",
    ),
    "MARKET_CLOSED": Code(
        "the exchange is closed then",
        ("at", "next_open"),
        "send it again with a start_at in the next session",
        passes=True,
    ),
}


def as_markdown() -> str:
    """The table for people, with the trailing newline of a file."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "# Why an order was refused"
    yield ""
    yield "Generated by `manage.py denial_codes` from `execution/domain/risk_checks/codes.py`."
    yield ""
    yield "A parent that is refused is DENIED for good, and only for a fact: where a price, a"
    yield "volatility or the buying power is not known yet, or the quote is not a usable one, it is"
    yield "accepted, `routing.waits_for` names the reason, and no child leaves before it is known."
    yield "A child is checked again before it leaves:"
    yield "where the reason may pass by itself it waits inside its slice's time, otherwise it is"
    yield "SKIPPED and its shares return to the plan. Limits are those of the admin's risk limits"
    yield "and of `limits` in the configuration; the tightest that applies counts."
    yield ""
    yield "| code | meaning | numbers | passes by itself | what to do |"
    yield "|---|---|---|---|---|"
    for code, about in CODES.items():
        numbers = ", ".join(about.numbers) or "none"
        passes = "yes" if about.passes else "no"
        yield f"| `{code}` | {about.meaning} | {numbers} | {passes} | {about.remedy} |"
