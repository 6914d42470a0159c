"""Addresses below /api/v1/."""

from django.urls import path

from execution.api import views
from execution.api.amend import AmendOrder
from execution.api.breaks import AcceptBreak, BreakList
from execution.api.preview import OrderPreview
from execution.api.stream import OrderStream
from execution.api.token import TokenView
from execution.models import TradingState

urlpatterns = [
    path("token/", TokenView.as_view(), name="token"),
    path("orders/", views.OrderList.as_view(), name="order-list"),
    path("orders/preview/", OrderPreview.as_view(), name="order-preview"),
    path("orders/stream", OrderStream.as_view(), name="order-stream"),
    path("orders/<int:pk>/", views.OrderDetail.as_view(), name="order-detail"),
    path("orders/<int:pk>/amend/", AmendOrder.as_view(), name="order-amend"),
    path("orders/<int:pk>/slices/", views.SliceList.as_view(), name="order-slices"),
    path("orders/<int:pk>/fills/", views.FillList.as_view(), name="order-fills"),
    path("orders/<int:pk>/events/", views.EventList.as_view(), name="order-events"),
    *(
        path(
            f"orders/<int:pk>/{control}/",
            views.OrderControl.as_view(control=control),
            name=f"order-{control}",
        )
        for control in views.CONTROLS
    ),
    path("trading-states/", views.TradingStateList.as_view(), name="trading-state-list"),
    path(
        "trading-state-changes/",
        views.TradingStateChangeList.as_view(),
        name="trading-state-change-list",
    ),
    path("position-breaks/", BreakList.as_view(), name="position-break-list"),
    path("position-breaks/<int:pk>/accept/", AcceptBreak.as_view(), name="position-break-accept"),
    path("halt/", views.SetTradingState.as_view(state=TradingState.State.HALTED), name="halt"),
    path(
        "resume-trading/",
        views.SetTradingState.as_view(state=TradingState.State.ACTIVE),
        name="resume-trading",
    ),
]
