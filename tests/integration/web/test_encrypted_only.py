"""Without TLS before it the service answers this machine alone."""

import pytest
from django.conf import LazySettings
from django.test import Client

pytestmark = [pytest.mark.django_db, pytest.mark.any_date]


@pytest.fixture(autouse=True)
def everywhere(settings: LazySettings) -> None:
    settings.ALLOWED_HOSTS = ["*"]
    settings.PLAIN_HTTP_NAMES = ["localhost", "127.0.0.1", "[::1]"]


@pytest.mark.parametrize(
    ("host", "path", "status"),
    [
        ("localhost", "/admin/login/", 200),
        ("localhost:8000", "/admin/login/", 200),
        ("127.0.0.1:8000", "/api/v1/orders/", 401),
        ("[::1]:8000", "/api/v1/orders/", 401),
        ("desk.example", "/admin/login/", 403),
        ("desk.example:8000", "/api/v1/orders/", 403),
        ("10.0.0.7", "/api/v1/token/", 403),
        ("[fe80::1]", "/api/v1/orders/", 403),
        ("localhost.example", "/admin/login/", 403),
        ("desk.example", "/healthz", 200),
    ],
)
def test_in_plain_text_only_this_machine_is_answered(host: str, path: str, status: int) -> None:
    answer = Client().get(path, headers={"host": host})
    assert answer.status_code == status
    if status == 403:
        assert "set HTTPS=true" in answer.content.decode()


def test_behind_a_proxy_that_speaks_tls_every_allowed_name_is_answered(
    settings: LazySettings,
) -> None:
    settings.CONFIG = settings.CONFIG.model_copy(update={"https": True})
    answer = Client().get("/admin/login/", headers={"host": "desk.example"})
    assert answer.status_code == 200
