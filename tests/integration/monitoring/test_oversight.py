"""Alerts and days over HTTP, in the back office and on the command line."""

import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.management import CommandError, call_command
from django.test import Client
from rest_framework.test import APIClient

from monitoring.alerting import surveillance
from monitoring.models import Alert, CostAnalysis
from monitoring.reporting import daily_summaries
from tests.integration.monitoring.rows import CONFIG, LIMITS, NOON, NOW, failed, filled, replay

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("at_noon")]


@pytest.fixture
def day() -> None:
    """Three orders of today, one of yesterday, two alerts, and yesterday's summary."""
    filled("150.00")
    filled("150.50")
    filled("151.00", account="second")
    filled("150.00", finished_at=NOON - timedelta(days=1))
    surveillance.evaluate(moment=NOW, config=CONFIG, limits=LIMITS, market=replay())
    daily_summaries.build_missing(NOON, real_now=NOON, limits=LIMITS)


def client(*permissions: str, name: str = "ann") -> APIClient:
    user = User.objects.create_user(name)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    api = APIClient()
    api.force_authenticate(user)
    return api


READER = ("view_alert", "view_dailysummary", "view_costanalysis")


def got(answer: Any) -> Any:
    assert answer.status_code == 200, answer.content
    return answer.json()


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["CRITICAL", "WARNING"]),
        ("?severity=CRITICAL", ["CRITICAL"]),
        ("?active=true", ["CRITICAL", "WARNING"]),
        ("?active=false", []),
        ("?account=second", ["CRITICAL"]),
        ("?kind=SLIPPAGE&symbol=AAPL", ["CRITICAL", "WARNING"]),
        ("?symbol=MSFT", []),
        ("?since=2026-03-02T16:00:01Z", []),
    ],
)
def test_listing_alerts(day: None, query: str, found: list[str]) -> None:
    answer = got(client(*READER).get(f"/api/v1/alerts/{query}"))
    assert [alert["severity"] for alert in answer["results"]] == found


def test_one_alert_in_full(day: None) -> None:
    alert = Alert.objects.get(severity="WARNING")
    answer = got(client(*READER).get(f"/api/v1/alerts/{alert.pk}/"))
    assert answer["symbol"] == "AAPL"
    assert answer["active"] is True
    assert answer["data"]["slippage_bps"] == "33.3333"
    assert [each["channel"] for each in answer["deliveries"]] == ["log"]


def test_whoever_acknowledges_first_stays(day: None) -> None:
    alert = Alert.objects.get(severity="WARNING")
    path = f"/api/v1/alerts/{alert.pk}/acknowledge/"
    first, second = client("change_alert"), client("change_alert", name="bob")
    seen = first.post(path, {"note": "called the broker"}, content_type="application/json")
    assert (got(seen)["acknowledged_by"], got(seen)["note"]) == ("ann", "called the broker")
    late = second.post(path, {"note": "who?"}, content_type="application/json")
    assert (got(late)["acknowledged_by"], got(late)["note"]) == ("ann", "called the broker")
    alerts = got(client(*READER, name="eve").get("/api/v1/alerts/?active=false"))
    assert [each["id"] for each in alerts["results"]] == [alert.pk]


@pytest.mark.parametrize(
    ("method", "path", "permissions", "status"),
    [
        ("get", "alerts/", (), 403),
        ("get", "summaries/", ("view_alert",), 403),
        ("get", "summaries/2026-03-02/", ("view_alert",), 403),
        ("get", "costs/", ("view_alert",), 403),
        ("get", "dashboard/", ("view_dailysummary",), 403),
        ("get", "quality/", ("view_dailysummary",), 403),
        ("post", "alerts/{alert}/acknowledge/", ("view_alert", "add_alert"), 403),
        ("post", "alerts/", ("view_alert", "add_alert"), 405),
        ("delete", "alerts/{alert}/", ("view_alert", "delete_alert"), 405),
        ("post", "alerts/0/acknowledge/", ("change_alert",), 404),
        ("get", "alerts/?severity=LOUD", READER, 400),
        ("get", "alerts/?since=soon", READER, 400),
        ("get", "summaries/yesterday/", READER, 400),
        ("get", "summaries/2026-02-30/", READER, 400),
        ("get", "quality/?date=2026-13-01", READER, 400),
    ],
)
def test_not_allowed_and_bad_input(
    day: None, method: str, path: str, permissions: tuple[str, ...], status: int
) -> None:
    alert = Alert.objects.first()
    assert alert is not None
    url = f"/api/v1/{path.format(alert=alert.pk)}"
    assert getattr(client(*permissions), method)(url).status_code == status
    assert Alert.objects.filter(acknowledged_at_real__isnull=True).count() == 2


@pytest.mark.parametrize("path", ["alerts/", "summaries/", "dashboard/", "quality/", "costs/"])
def test_strangers_see_nothing(path: str) -> None:
    assert APIClient().get(f"/api/v1/{path}").status_code == 401


def test_stored_days(day: None) -> None:
    (row,) = got(client(*READER).get("/api/v1/summaries/"))["results"]
    assert (row["date"], row["account"], row["total_executions"]) == ("2026-03-01", "main", 1)
    assert (row["success_rate"], row["total_value"]) == (1.0, "15000.000000")


def test_one_day_is_computed_from_the_orders(day: None) -> None:
    api = client(*READER)
    today = got(api.get("/api/v1/summaries/2026-03-02/"))
    assert (today["date"], today["total_executions"]) == ("2026-03-02", 3)
    assert (today["total_volume"], today["total_value"]) == (300, "45150.000000")
    assert (today["slippage_bps"], today["vwap_bps"]) == ("33.3333", None)
    second = got(api.get("/api/v1/summaries/2026-03-02/?account=second"))
    assert (second["account"], second["total_executions"]) == ("second", 1)


def test_dashboard_and_quality(day: None) -> None:
    api = client(*READER)
    dashboard = got(api.get("/api/v1/dashboard/"))
    assert dashboard["active_alerts"] == {"total": 2, "critical": 1, "warning": 1, "info": 0}
    assert dashboard["today"]["total_executions"] == 3
    assert dashboard["live"] == {"orders": 0, "ordered": 0, "executed": 0}
    assert dashboard["quality"] == got(api.get("/api/v1/quality/"))
    assert got(api.get("/api/v1/quality/?date=2020-01-01"))["grade"] == "N/A"


def test_cost_of_an_order(day: None) -> None:
    cost = CostAnalysis.objects.filter(arrival_bps__gt=60).get()
    api = client(*READER)
    answer = got(api.get(f"/api/v1/costs/{cost.order_id}/"))
    assert (answer["order"], answer["arrival_bps"]) == (cost.order_id, "66.6667")
    assert (answer["vwap_bps"], answer["final"]) == (None, True)
    assert len(got(api.get("/api/v1/costs/?account=main"))["results"]) == 3


@pytest.mark.parametrize("model", ["alert", "alertdelivery", "costanalysis", "dailysummary"])
def test_the_back_office_shows_rows_and_lets_nobody_edit_them(
    day: None, admin_client: Client, model: str
) -> None:
    url = f"/admin/monitoring/{model}/"
    assert admin_client.get(url, {"q": "7"}).status_code == 200
    row = {"alert": Alert, "costanalysis": CostAnalysis}.get(model)
    if row is not None:
        assert admin_client.get(f"{url}{row.objects.all()[0].pk}/change/").status_code == 200
    assert admin_client.get(f"{url}add/").status_code == 403


ACKNOWLEDGE = "/admin/monitoring/alert/acknowledge/"


def test_an_alert_leads_to_its_acknowledgement(day: None, admin_client: Client) -> None:
    alert = Alert.objects.get(severity="WARNING")
    page = admin_client.get(f"/admin/monitoring/alert/{alert.pk}/change/").content.decode()
    link = f"{ACKNOWLEDGE}?alerts={alert.pk}"
    assert link in page
    assert "slippage 33.3 bps against" in admin_client.get(link).content.decode()
    assert admin_client.get(f"{ACKNOWLEDGE}?alerts=x").status_code == 404


def test_acknowledging_in_the_back_office(day: None, admin_client: Client) -> None:
    chosen = list(Alert.objects.values_list("pk", flat=True))
    action = {"action": "acknowledge", "_selected_action": chosen}
    asked = admin_client.post("/admin/monitoring/alert/", action).content.decode()
    assert "2 active alerts." in asked
    assert not Alert.objects.exclude(acknowledged_by="").exists()
    form = {"alerts": ",".join(map(str, chosen)), "note": " "}
    assert "This field is required" in admin_client.post(ACKNOWLEDGE, form).content.decode()
    form["note"] = "called the broker"
    for count in (2, 0):  # sent again it finds nothing left to do
        page = admin_client.post(ACKNOWLEDGE, form, follow=True)
        assert f"{count} alerts acknowledged" in page.content.decode()
    who = set(Alert.objects.values_list("acknowledged_by", "note"))
    assert who == {("admin", "called the broker")}
    assert admin_client.get("/admin/monitoring/alert/?active=yes").context["cl"].result_count == 0


def test_a_reader_of_the_back_office_cannot_acknowledge(day: None) -> None:
    user = User.objects.create_user("eve", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename="view_alert"))
    office = Client()
    office.force_login(user)
    chosen = list(Alert.objects.values_list("pk", flat=True))
    action = {"action": "acknowledge", "_selected_action": chosen}
    office.post("/admin/monitoring/alert/", action)
    form = {"alerts": ",".join(map(str, chosen)), "note": "seen"}
    assert office.get(ACKNOWLEDGE, form).status_code == 403
    assert office.post(ACKNOWLEDGE, form).status_code == 403
    assert Alert.objects.filter(acknowledged_at_real__isnull=True).count() == 2


def summary(*words: str) -> str:
    out = StringIO()
    call_command("summary", *words, stdout=out)
    return out.getvalue()


def test_summary_for_a_person(day: None) -> None:
    failed()
    report = summary()
    for words in (
        "2026-03-02, all accounts",
        "4",
        "3 (75.0%)",
        "$45,150.00",
        "+33.3 bps",
        "1 WARNING, 1 CRITICAL",
        "Active alerts: 2",
        "TWAP",
    ):
        assert words in report


def test_summary_for_a_program(day: None) -> None:
    report = json.loads(summary("--json", "--account", "second"))
    assert (report["date"], report["account"]) == ("2026-03-02", "second")
    assert (report["total_executions"], report["total_value"]) == (1, "15100.000000")
    assert report["quality"]["executions"] == 1
    assert [alert["severity"] for alert in report["active_alerts"]] == ["CRITICAL"]


def test_summary_of_another_day(day: None) -> None:
    assert json.loads(summary("--json", "--date", "2026-03-01"))["total_executions"] == 1
    assert "N/A" in summary("--date", "2020-01-01")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--date", "monday"], "must be a day such as 2024-06-12, got 'monday'"),
        (["--account", "nobody"], "'nobody'.*known are main, second"),
    ],
)
def test_summary_with_bad_input(day: None, words: list[str], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        summary(*words)
