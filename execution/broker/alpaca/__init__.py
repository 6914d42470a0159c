"""Alpaca as a broker: the library's client, made safe to send orders with."""

from .adapter import AlpacaBroker

__all__ = ["AlpacaBroker"]
