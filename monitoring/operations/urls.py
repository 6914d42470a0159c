from django.contrib import admin
from django.urls import path

from monitoring.operations import views

urlpatterns = [
    path("live/", admin.site.admin_view(views.live), name="operations_live"),
    path("order/<int:order_id>/", admin.site.admin_view(views.order), name="operations_order"),
    path("slippage/", admin.site.admin_view(views.slippage_today), name="operations_slippage"),
]
