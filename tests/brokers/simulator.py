"""What a process of the service needs to trade live with a simulator of a broker."""

LIVE = {
    "LIVE_TRADING_CONFIRMED": "true",
    "LIVE_BROKER_IS_SIMULATOR": "true",
    "LIMITS__MAX_ORDER_QUANTITY": "1000000",
    "LIMITS__MAX_ORDER_NOTIONAL": "100000000",
    "LIMITS__MAX_POSITION": "100000000",
    "LIMITS__MAX_MESSAGES_PER_MINUTE": "1000000",
    "LIMITS__MAX_DAILY_LOSS": "1000000000",
}
