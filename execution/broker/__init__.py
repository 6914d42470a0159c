"""The brokers that a child order can go to. To add one, add its line."""

BROKERS = {
    "paper": "execution.broker.paper_trader.PaperTrader",
    "ibkr": "execution.broker.ibkr.adapter.InteractiveBrokers",
    "alpaca": "execution.broker.alpaca.AlpacaBroker",
}
