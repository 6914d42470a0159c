"""Two people have the same page of the back office open, and both save."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection, connections, models, transaction
from django.test import Client

from execution.models import CalendarOverride, MarketHalt, RestrictedSymbol
from tests.stack import wait_for

pytestmark = pytest.mark.django_db

ADDRESSES: dict[type[models.Model], str] = {
    MarketHalt: "execution/markethalt",
    CalendarOverride: "execution/calendaroverride",
    RestrictedSymbol: "execution/restrictedsymbol",
    User: "auth/user",
}
MORNING = datetime(2026, 11, 27, 15, 0, 0, 250_000, tzinfo=UTC)
REFUSED = "was changed by somebody else since this page was opened"


class Fields(HTMLParser):
    """What a browser would send of a page's form."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: dict[str, Any] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        of = dict(attrs)
        ticked = of.get("type") not in ("checkbox", "radio", "submit") or "checked" in of
        if tag == "input" and ticked and (name := of.get("name")):
            self.sent[name] = of.get("value") or ("on" if of.get("type") == "checkbox" else "")


def opened(client: Client, row: models.Model) -> tuple[str, dict[str, Any]]:
    address = f"/admin/{ADDRESSES[type(row)]}/{row.pk}/change/"
    page = Fields()
    page.feed(client.get(address).content.decode())
    return address, page.sent


def halt() -> MarketHalt:
    return MarketHalt.objects.create(
        symbol="AAPL", start_at=MORNING, reason="LUDP", source="alpaca"
    )


def override() -> CalendarOverride:
    return CalendarOverride.objects.create(
        day=date(2026, 11, 27), closed=False, close="13:00", reason="half day"
    )


def restriction() -> RestrictedSymbol:
    return RestrictedSymbol.objects.create(symbol="AAPL", reason="merger", changed_by="ann")


def colleague() -> User:
    return User.objects.create_user("bob", last_name="Jones", is_staff=True)


def opened_before(
    client: Client, row: models.Model, theirs: dict[str, Any]
) -> tuple[str, dict[str, Any]]:
    """A page that was opened before somebody else saved."""
    found = opened(client, row)
    type(row).objects.filter(pk=row.pk).update(**theirs)
    return found


ENDED = MORNING + timedelta(minutes=5)
CASES = [
    pytest.param(halt, {"end_at": ENDED}, {"reason": "pause"}, id="a halt that its source ended"),
    pytest.param(override, {"close": "12:00"}, {"reason": "storm"}, id="a day that closes earlier"),
    pytest.param(colleague, {"is_active": False}, {"last_name": "Smith"}, id="a person locked out"),
]


@pytest.mark.parametrize(("made", "theirs", "ours"), CASES)
def test_what_another_changed_while_a_page_was_open_stays(
    admin_client: Client, made: Any, theirs: dict[str, Any], ours: dict[str, str]
) -> None:
    row = made()
    address, sent = opened_before(admin_client, row, theirs)
    wanted = type(row).objects.filter(pk=row.pk).values(*theirs).get() | ours
    assert admin_client.post(address, sent | ours).status_code == 302
    assert type(row).objects.filter(pk=row.pk).values(*wanted).get() == wanted


@pytest.mark.parametrize(
    ("made", "theirs", "ours"),
    [
        (halt, {"end_at": ENDED}, {"end_at_0": "2026-11-27", "end_at_1": "10:01:00"}),
        (override, {"close": "12:00"}, {"close": "16:00"}),
        (restriction, {"reason": "takeover"}, {"reason": "merger until May"}),
        (colleague, {"last_name": "Brown"}, {"last_name": "Smith"}),
    ],
)
def test_what_two_people_change_is_looked_at_again(
    admin_client: Client, made: Any, theirs: dict[str, Any], ours: dict[str, str]
) -> None:
    row = made()
    address, sent = opened_before(admin_client, row, theirs)
    before = type(row).objects.filter(pk=row.pk).values().get()
    assert REFUSED in admin_client.post(address, sent | ours).content.decode()
    assert type(row).objects.filter(pk=row.pk).values().get() == before
    again, sent = opened(admin_client, row)
    assert admin_client.post(again, sent | ours).status_code == 302


def another_waits_for_us() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_locks"
            " WHERE NOT granted AND transactionid = pg_current_xact_id()::xid"
        )
        return bool(cursor.fetchone()[0])


@pytest.mark.django_db(transaction=True)
def test_a_button_that_is_pressed_twice_saves_once_and_says_so(admin_client: Client) -> None:
    def press() -> Any:
        typed = {"day": "2026-11-27", "close": "13:00", "reason": "half day"}
        try:
            return admin_client.post(
                "/admin/execution/calendaroverride/add/", typed, follow=True
            ).content.decode()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as second:
        with transaction.atomic():
            override()
            page = second.submit(press)
            wait_for(another_waits_for_us, 10, "the second press to meet the first")
        assert "Nothing was saved: the same was saved at the same moment" in page.result(10)
    assert CalendarOverride.objects.count() == 1
