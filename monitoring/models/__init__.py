"""What was noticed: alerts, the cost of each order, the summary of each day; and what is sent out.

Columns that end in `_real` hold real time, all others trading time.
"""

from monitoring.models.alerts import ACTIVE, Alert, AlertDelivery, ChannelHealth
from monitoring.models.breakers import BreakerTrip
from monitoring.models.costs import CostAnalysis
from monitoring.models.cursors import EventCursor, MetricTotals
from monitoring.models.days import DailySummary, DayCosts, ReportDelivery
from monitoring.models.replays import OrderReplay
from monitoring.models.webhooks import WebhookDelivery, WebhookPosition

__all__ = [
    "ACTIVE",
    "Alert",
    "AlertDelivery",
    "BreakerTrip",
    "ChannelHealth",
    "CostAnalysis",
    "DailySummary",
    "DayCosts",
    "EventCursor",
    "MetricTotals",
    "OrderReplay",
    "ReportDelivery",
    "WebhookDelivery",
    "WebhookPosition",
]
