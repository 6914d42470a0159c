"""What is remembered: orders, the controls over them, the market, and the paper broker's book."""

from .broker_link import BrokerLink
from .calibration import SlippageCalibration
from .comparison import BrokerAccount, BrokerDifference
from .controls import BrokerCursor, Heartbeat, TradingState, TradingStateChange
from .ibkr import IbkrExecution, IbkrGateway, IbkrInquiry, IbkrOrder
from .limits import RestrictedSymbol, RiskLimit, RiskLimitChange
from .market import Bar, CalendarOverride, MarketClock, MarketHalt
from .orders import Fill, Order, OrderEvent, Slice, Via
from .paper import PaperExecution, PaperOrder, PaperVolume
from .profiles import VolumeProfile

__all__ = [
    "Bar",
    "BrokerAccount",
    "BrokerCursor",
    "BrokerDifference",
    "BrokerLink",
    "CalendarOverride",
    "Fill",
    "Heartbeat",
    "IbkrExecution",
    "IbkrGateway",
    "IbkrInquiry",
    "IbkrOrder",
    "MarketClock",
    "MarketHalt",
    "Order",
    "OrderEvent",
    "PaperExecution",
    "PaperOrder",
    "PaperVolume",
    "RestrictedSymbol",
    "RiskLimit",
    "RiskLimitChange",
    "Slice",
    "SlippageCalibration",
    "TradingState",
    "TradingStateChange",
    "Via",
    "VolumeProfile",
]
