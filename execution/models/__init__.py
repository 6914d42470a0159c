"""What is remembered: orders, the controls over them, the market, and the paper broker's book."""

from execution.models.approvals import Approval
from execution.models.archive import Archive, ArchivedOrder, ArchivedTrade
from execution.models.broker_link import BrokerLink
from execution.models.calibration import SlippageCalibration
from execution.models.desks import Desk, DeskAccount
from execution.models.ibkr import IbkrExecution, IbkrGateway, IbkrInquiry, IbkrOrder
from execution.models.limits import RestrictedSymbol, RiskLimit, RiskLimitChange
from execution.models.market import Bar, CalendarOverride, MarketClock, MarketHalt
from execution.models.orders import Fill, Order, OrderEvent, Slice, Via
from execution.models.paper import PaperExecution, PaperFlow, PaperOrder, PaperVolume
from execution.models.positions import DayTrade, Position
from execution.models.profiles import VolumeProfile
from execution.models.reconciliation import BrokerAccount, BrokerDifference
from execution.models.recovery import DatabaseOrigin, Recovery
from execution.models.second_factor import RecoveryCode, SecondFactorChange
from execution.models.trading_states import (
    BrokerCursor,
    Heartbeat,
    TradingState,
    TradingStateChange,
)

__all__ = [
    "Approval",
    "Archive",
    "ArchivedOrder",
    "ArchivedTrade",
    "Bar",
    "BrokerAccount",
    "BrokerCursor",
    "BrokerDifference",
    "BrokerLink",
    "CalendarOverride",
    "DatabaseOrigin",
    "DayTrade",
    "Desk",
    "DeskAccount",
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
    "PaperFlow",
    "PaperOrder",
    "PaperVolume",
    "Position",
    "Recovery",
    "RecoveryCode",
    "RestrictedSymbol",
    "RiskLimit",
    "RiskLimitChange",
    "SecondFactorChange",
    "Slice",
    "SlippageCalibration",
    "TradingState",
    "TradingStateChange",
    "Via",
    "VolumeProfile",
]
