"""The addresses of the web process."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from monitoring import health
from monitoring.metrics import page

admin.autodiscover()

urlpatterns = [
    path("", RedirectView.as_view(url="admin/")),
    path("admin/operations/", include("monitoring.operations.urls")),
    path("admin/baskets/", include("monitoring.baskets.urls")),
    path("admin/second-factor/", include("execution.admin.second_factor")),
    path("admin/tca/", include("monitoring.cost_report.urls")),
    path("admin/", admin.site.urls),
    path("api/v1/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/v1/docs/", SpectacularSwaggerSplitView.as_view(url_name="schema"), name="docs"),
    path("api/v1/", include("execution.api.urls")),
    path("api/v1/", include("monitoring.api.urls")),
    path("healthz", health.healthz, name="healthz"),
    path("metrics", page.metrics, name="metrics"),
    path("readyz", health.readyz, name="readyz"),
]
