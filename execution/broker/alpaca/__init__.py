"""Alpaca as a broker: the library's client, made safe to send orders with."""

from execution.broker.alpaca.adapter import AlpacaBroker

__all__ = ["AlpacaBroker"]
