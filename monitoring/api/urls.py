from django.urls import include, path
from rest_framework.routers import SimpleRouter

from monitoring.api import views

router = SimpleRouter()
router.register("alerts", views.AlertViewSet, basename="alert")
router.register("summaries", views.SummaryViewSet, basename="summary")
router.register("breaker-trips", views.BreakerTripViewSet, basename="breaker-trip")
router.register("costs", views.CostViewSet, basename="cost")

urlpatterns = [
    path("", include(router.urls)),
    path("dashboard/", views.DashboardView.as_view(), name="dashboard"),
    path("quality/", views.QualityView.as_view(), name="quality"),
]
