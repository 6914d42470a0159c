"""One zone wherever a person reads or types: the exchange's; rows and the API are in UTC."""

from datetime import UTC, datetime, time
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from execution.models import CalendarOverride, MarketHalt
from monitoring.models import Alert
from tests.integration.order_steps import new_order

pytestmark = pytest.mark.django_db

MORNING = datetime(2026, 11, 27, 15, tzinfo=UTC)  # 10:00 in New York


def enter(office: Client, day: str, clock: str) -> Any:
    return office.post(
        "/admin/execution/markethalt/add/",
        {"symbol": "AAPL", "start_at_0": day, "start_at_1": clock, "reason": "news"},
    )


@pytest.mark.parametrize(
    ("day", "clock", "stored"),
    [
        ("2026-11-27", "10:00:00", "2026-11-27T15:00:00+00:00"),
        ("2026-07-01", "10:00:00", "2026-07-01T14:00:00+00:00"),
        ("2027-03-14", "03:00:00", "2027-03-14T07:00:00+00:00"),
        ("2027-11-07", "00:30:00", "2027-11-07T04:30:00+00:00"),
    ],
)
def test_a_market_halt_is_typed_in_exchange_time_and_shown_as_typed(
    admin_client: Client, day: str, clock: str, stored: str
) -> None:
    assert enter(admin_client, day, clock).status_code == 302
    halt = MarketHalt.objects.get()
    assert halt.start_at.isoformat() == stored
    assert f"{day} {clock} ET" in admin_client.get("/admin/execution/markethalt/").content.decode()
    page = admin_client.get(f"/admin/execution/markethalt/{halt.pk}/change/").content.decode()
    assert f'value="{clock}"' in page
    assert f'value="{day}"' in page
    assert "exchange time (ET, New York)" in page


@pytest.mark.parametrize(("day", "clock"), [("2027-03-14", "02:30:00"), ("2027-11-07", "01:30:00")])
def test_a_time_that_comes_never_or_twice_is_refused_where_it_is_typed(
    admin_client: Client, day: str, clock: str
) -> None:
    page = enter(admin_client, day, clock)
    assert page.status_code == 200
    assert "ambiguous or it may not exist" in page.content.decode()
    assert not MarketHalt.objects.exists()


@pytest.mark.parametrize("field", ["start_at", "end_at"])
@pytest.mark.parametrize("year", ["0001", "9999"])
def test_a_halt_of_a_year_that_no_market_has_is_refused_where_it_is_typed(
    admin_client: Client, field: str, year: str
) -> None:
    """The last evening of 9999 is the year 10000 in the database, which nobody could read."""
    typed = {"symbol": "AAPL", "reason": "news", "start_at_0": "2026-11-27", "start_at_1": "10:00"}
    page = admin_client.post(
        "/admin/execution/markethalt/add/",
        typed | {f"{field}_0": f"{year}-12-31", f"{field}_1": "23:59"},
    )
    assert f"a year between 1970 and 2199 is allowed, got {int(year)}" in page.content.decode()
    assert not MarketHalt.objects.exists()


def test_a_halt_that_ends_before_it_begins_is_refused_with_its_start(admin_client: Client) -> None:
    typed = {"symbol": "AAPL", "reason": "news", "start_at_0": "2026-11-27", "start_at_1": "10:00"}
    page = admin_client.post(
        "/admin/execution/markethalt/add/",
        typed | {"end_at_0": "2026-11-27", "end_at_1": "09:59"},
    )
    assert "must be after the start, 2026-11-27 10:00:00 ET" in page.content.decode()
    assert not MarketHalt.objects.exists()


def test_a_half_day_that_ends_in_the_night_is_refused_where_it_is_typed(
    admin_client: Client,
) -> None:
    typed = {"day": "2026-11-25", "close": "01:00", "reason": "early close"}
    page = admin_client.post("/admin/execution/calendaroverride/add/", typed)
    assert "one o&#x27;clock in the afternoon is 13:00" in page.content.decode()
    assert not CalendarOverride.objects.exists()
    admin_client.post("/admin/execution/calendaroverride/add/", typed | {"close": "13:00"})
    assert CalendarOverride.objects.get().close == time(13)


def test_alerts_are_shown_in_exchange_time_and_told_in_utc(admin_client: Client) -> None:
    alert = Alert.objects.create(
        kind="PAUSED",
        severity="WARNING",
        message="m",
        dedupe_key="k",
        raised_at=MORNING,
        raised_at_real=MORNING,
    )
    for page in ("/admin/monitoring/alert/", f"/admin/monitoring/alert/{alert.pk}/change/"):
        assert "2026-11-27 10:00:00 ET" in admin_client.get(page).content.decode()
    told = admin_client.get(f"/api/v1/alerts/{alert.pk}/").json()
    assert told["raised_at"] == "2026-11-27T15:00:00Z"
    assert timezone.get_current_timezone_name() == "UTC"


def test_the_commands_speak_exchange_time() -> None:
    order = new_order(parts=1)
    for name, words in (("orders", []), ("explain", [str(order.pk)])):
        out = StringIO()
        call_command(name, *words, stdout=out)
        said = out.getvalue()
        assert " ET" in said
        assert "UTC" not in said
        assert "+00:00" not in said
