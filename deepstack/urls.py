"""The addresses of the web process."""

from django.contrib import admin
from django.urls import URLResolver, include, path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from deepstack.config import current
from monitoring import health
from monitoring.metrics import page

admin.autodiscover()


def _single_sign_on() -> list[URLResolver]:
    if not current().oidc_issuer:
        return []
    return [path("admin/single-sign-on/", include("execution.admin.single_sign_on"))]


urlpatterns = [
    path("", RedirectView.as_view(url="admin/")),
    path("admin/operations/", include("monitoring.operations.urls")),
    path("admin/baskets/", include("monitoring.baskets.urls")),
    path("admin/second-factor/", include("execution.admin.second_factor")),
    *_single_sign_on(),
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
