"""A nearly full disk or a wrong clock takes no new order, and keeps no cancel back."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone
from rest_framework.test import APIClient

from deepstack.config import Disk, current
from execution import context
from execution.entry import acceptance, free_space, order_controls
from execution.entry.free_space import DiskNearlyFull
from execution.models import Order
from monitoring.alerting import system_rules
from tests.integration.admin.test_admin import ORDERS, client_of
from tests.integration.commands.console import SIGNAL

pytestmark = [pytest.mark.django_db, pytest.mark.any_date, pytest.mark.usefixtures("at_noon")]

ALL_BUT_NOTHING = Disk(low=0.9999999, least_free=0.9999999)  # no disk of a machine is as empty


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> context.Context:
    config = current().model_copy(update={"disk": ALL_BUT_NOTHING})
    usual = context.default()
    return context.Context(config, usual.market, usual.broker, usual.now)


def test_no_order_is_taken_and_what_is_stored_can_be_cancelled(full: context.Context) -> None:
    order = acceptance.accept(SIGNAL, context.default())
    with pytest.raises(DiskNearlyFull, match="no new order is taken, cancels work"):
        acceptance.accept(SIGNAL, full)
    assert Order.objects.count() == 1
    assert order_controls.cancel(order.pk, by="eve", now=full.now()).status == "CANCELLED"


def test_the_api_says_so(full: context.Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context, "default", lambda: full)
    client = APIClient()
    client.force_authenticate(User.objects.create_superuser("eve"))
    answer = client.post("/api/v1/orders/", SIGNAL, format="json")
    assert (answer.status_code, answer.json()["code"]) == (507, "DISK_NEARLY_FULL")
    assert not Order.objects.exists()


def test_the_pages_say_so(full: context.Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context, "default", lambda: full)
    ticket, upload = f"{ORDERS}new/", f"{ORDERS}upload/"
    trader = client_of("Trader")
    typed = {**SIGNAL, "ticket": "ticket-1"}
    line = "symbol,side,quantity\nAAPL,BUY,100\n"
    file = {"text": line, "upload": "list-0123456789ab"}
    for address, body in ((ticket, typed), (upload, file)):
        answer = trader.post(address, body)
        assert "no new order is taken, cancels work" in answer.content.decode()
    assert not Order.objects.exists()


def test_a_process_whose_clock_is_far_off_takes_and_amends_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    order = acceptance.accept(SIGNAL, context.default())
    client = APIClient()
    client.force_authenticate(User.objects.create_superuser("eve"))
    real = timezone.now
    monkeypatch.setattr(timezone, "now", lambda: real() - timedelta(hours=1))
    change = {"version": 1, "quantity": order.quantity + 1}
    for address, body in (("", SIGNAL), (f"{order.pk}/amend/", change)):
        answer = client.post(f"/api/v1/orders/{address}", body, format="json")
        assert (answer.status_code, answer.json()["code"]) == (503, "CLOCK_FAR_OFF")
        assert "3,600 s behind the database's" in answer.json()["detail"]
    cancelled = client.post(f"/api/v1/orders/{order.pk}/cancel/")
    assert (cancelled.status_code, Order.objects.get().quantity) == (200, order.quantity)


def test_the_disks_of_rows_and_logs_are_measured() -> None:
    """By where PostgreSQL says its rows are: `up` names its address to every process it starts."""
    local = str(connection.get_connection_params()["host"]).startswith("/")
    with connection.cursor() as cursor:
        cursor.execute("SHOW data_directory")
        rows = [Path(*cursor.fetchone())] if local else []
    for address in ("", "postgresql://somewhere/else"):
        config = current().model_copy(update={"database_url": address})
        measured = [space.folder for space in free_space.measured(config)]
        assert measured == [*rows, config.log_file.parent]
    free_space.require(current())


@pytest.mark.parametrize(
    ("share", "severity"),
    [(0.5, None), (0.1, None), (0.09, "WARNING"), (0.02, "WARNING"), (0.019, "CRITICAL")],
)
def test_its_alert_is_critical_once_orders_are_refused(share: float, severity: str | None) -> None:
    found = system_rules.disk_low(
        machine="one", folder="/var", free=2**30, share=share, low=0.1, least=0.02
    )
    assert (found and found.severity) == severity
