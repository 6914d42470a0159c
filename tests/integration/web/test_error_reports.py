"""What Sentry is told of a request that fails: which, where, why, and no secret."""

import json
from typing import Any

import pytest

from tests.telemetry_receiver import receiving, run_script

pytestmark = [pytest.mark.django_db, pytest.mark.any_date]

# What must not leave, each by its own way.
SECRETS = {
    "header": "9944b09199c62bcf9418ad846dd0e4bbdfc6ee4b",
    "body": "hunter2-of-the-body",
    "query": "hunter2-of-the-query",
    "cookie": "hunter2-of-the-cookie",
    "local": "hunter2-of-a-local-variable",
    "webhook": "https://hooks.example/services/hunter2-of-the-webhook",
    "metrics": "hunter2-of-the-metrics",
}
FAILING = """
import io, json, sys
from deepstack.wsgi import application
from django.test import RequestFactory, override_settings
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from deepstack.config import current
SECRETS = json.loads(sys.argv[1])
@csrf_exempt
def fails(request):
    kept = SECRETS["local"]
    raise RuntimeError(f"could not post to {current().alert_webhook_url}")
urlpatterns = [path("api/v1/fails", fails)]
headers = {"Authorization": "Token " + SECRETS["header"], "Cookie": "a=" + SECRETS["cookie"]}
asked = RequestFactory().post("/api/v1/fails?key=" + SECRETS["query"],
                              {"password": SECRETS["body"]}, "application/json", headers=headers)
with override_settings(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["testserver"],
                       PLAIN_HTTP_NAMES=["testserver"]):
    b"".join(application(asked.environ, lambda status, headers, error=None: print(status[:3])))
"""


def reports_of(script: str, *words: str) -> tuple[list[dict[str, Any]], str]:
    """Of a process of its own, and what it printed."""
    with receiving() as received:
        printed = run_script(
            script,
            *words,
            SENTRY_DSN=received.dsn,
            ALERT_WEBHOOK_URL=SECRETS["webhook"],
            METRICS_TOKEN=SECRETS["metrics"],
        )
    return received.reports, printed


def test_a_failed_request_is_one_report_without_what_the_client_sent() -> None:
    [report], printed = reports_of(FAILING, json.dumps(SECRETS))
    assert printed.strip() == "500"
    assert report["request"] == {"url": "/api/v1/fails", "method": "POST"}
    assert report["transaction"] == "POST api/v1/fails"
    assert report["tags"]["process"] == "web"
    [error] = report["exception"]["values"]
    assert (error["type"], error["value"]) == ("RuntimeError", "could not post to ***")
    text = json.dumps(report)
    assert [name for name, secret in SECRETS.items() if secret in text] == []
    assert "publicsecretkey" not in text


LOGGING = """
import django
django.setup()
import logging, structlog
from deepstack.config import current
log = structlog.get_logger("execution.sending")
for number in range(30):
    log.error("alike", order_id=number, token=current().metrics_token.get_secret_value())
log.warning("not an error")
try:
    raise ValueError("both")
except ValueError:
    log.exception("of structlog", slice_id=7)
logging.getLogger("celery.app.trace").error("of a %s", "library")
logging.getLogger("django.request").error("Service Unavailable: /readyz")
structlog.get_logger("deepstack.alerts").critical("slippage of order 7")
"""


def test_what_the_log_calls_an_error_is_reported_and_an_outage_is_not_a_flood() -> None:
    reports, _ = reports_of(LOGGING)
    said = [report["logentry"]["message"] for report in reports]
    assert said == ["alike"] * 10 + ["of structlog", "of a library"]
    assert [report["logger"] for report in reports[9:]] == [
        "execution.sending",
        "execution.sending",
        "celery.app.trace",
    ]
    assert reports[3]["tags"] == {"order_id": "3"}
    assert reports[3]["extra"] == {"token": "***"}
    assert reports[10]["exception"]["values"][0]["value"] == "both"
    assert SECRETS["metrics"] not in json.dumps(reports)


def test_a_strategy_that_reports_its_own_errors_keeps_its_client() -> None:
    script = """
import sentry_sdk
sentry_sdk.init(dsn=None, environment="strategy", default_integrations=False)
own = sentry_sdk.get_client()
import django
django.setup()
import structlog
structlog.get_logger("execution").error("ours")
print(sentry_sdk.get_client() is own)
"""
    reports, printed = reports_of(script)
    assert (reports, printed.strip()) == ([], "True")
